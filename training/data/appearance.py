"""What rendered faces look like: skin, light, background. All of it is drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Array = NDArray[np.floating]

# Marks of a face are as large as one of so many parts of its texture, and larger ones are left to
# the light; standard deviation of the logarithm of their brightness.
MARKS, COARSE_MARKS, MARKS_CONTRAST = 85, 26, 0.02


@dataclass(frozen=True)
class Light:
    """A main lamp and soft light from everywhere.

    Attributes
    ----------
    direction
        (3,) unit vector to the lamp: x right, y up, z to the viewer.
    ambient
        Strength of the soft light; 1 shows colours as they are.
    lamp
        (3,) strength of the lamp by RGB channel.
    """

    direction: Array
    ambient: float
    lamp: Array

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Light:
        """Return some light, mostly from the front and above."""
        direction = rng.normal(0, 1, 3) + np.array([0, 0.4, 1.2])
        ambient = rng.uniform(0.35, 0.7)
        tint = rng.uniform(0.9, 1.1, 3)
        return cls(direction / np.linalg.norm(direction), ambient, rng.uniform(0.5, 0.9) * tint)

    def turned(self, rotation: Array) -> Light:
        """Return the same light, seen by a camera for which all it sees is turned by (3, 3)."""
        return replace(self, direction=rotation @ self.direction)

    def on(self, normals: Float) -> Float:
        """Return (..., 3) RGB light on surfaces with (..., 3) unit normals: nine spherical
        harmonics.
        """
        cosine = normals @ self.direction
        # The clamped cosine of a lamp to second order (Ramamoorthi & Hanrahan 2001).
        share = 0.25 + 0.5 * cosine + 0.15625 * (3 * cosine**2 - 1)
        return (self.ambient + np.maximum(share, 0)[..., None] * self.lamp).astype(np.float32)


def skin_tone(rng: np.random.Generator, depth: float | None = None) -> Float:
    """Return (3,) factors on the mean texture, redder as it darkens; `depth` from 0, pale, to 1,
    dark.
    """
    depth = rng.uniform(0, 1) if depth is None else depth
    pale, dark = np.array([1.12, 1.10, 1.08]), np.array([0.50, 0.41, 0.36])
    return ((pale + (dark - pale) * depth) * rng.uniform(0.95, 1.05, 3)).astype(np.float32)


def marks(rng: np.random.Generator, size: int, contrast: float = MARKS_CONTRAST) -> Float:
    """Return (size, size, 1) factors about 1 on a texture: freckles, spots and folds of one's
    own.
    """
    noise = rng.standard_normal((size, size)).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(noise, (0, 0), size / n) for n in (MARKS, COARSE_MARKS))
    pattern = fine - coarse
    return np.exp(np.float32(contrast) * pattern / pattern.std())[..., None]


def background(height: int, width: int, rng: np.random.Generator) -> Float:
    """Return (height, width, 3) in [0, 1]: a gradient between two colours with blotches of
    noise.
    """
    down, right = np.linspace(0, 1, height)[:, None] - 0.5, np.linspace(0, 1, width)[None] - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    t = 0.5 + 0.5 * (np.cos(angle) * right + np.sin(angle) * down)
    first, second = rng.uniform(0, 1, (2, 3))
    picture = first + (second - first) * t[..., None]
    cells = int(rng.integers(4, 40))
    noise = rng.normal(0, 1, (cells, cells, 1)) + 0.3 * rng.normal(0, 1, (cells, cells, 3))
    noise *= rng.uniform(0, 0.2)
    blotches = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + blotches, 0, 1).astype(np.float32)
