"""Faces in any light, with and without something before them: what the network learns from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.occlusion.drawing import BROAD, Float, Floating, Places, Random, noise, random_cover

# Shares of the faces: with a cover, with a second one, in light of a colour, in black and white,
# half in shadow, with a shine, from a small picture, badly fitted.
COVERED, TWICE, COLOURED, COLOURLESS = 0.6, 0.2, 0.45, 0.06
SHADED, SHINING, SMALL, SHIFTED = 0.45, 0.2, 0.3, 0.8


@dataclass(frozen=True)
class Faces:
    """Unwrapped photos of uncovered faces.

    Attributes
    ----------
    textures
        (N, S, S, 3) uint8 RGB, the photo at every texel, seen or not.
    seen
        (N, S, S) uint8, how well the camera sees each; 255 is wholly.
    """

    textures: NDArray[np.uint8]
    seen: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.textures)


def sample(faces: Faces, row: int, places: Places, random: Random) -> tuple[Float, Float, Float]:
    """Make one sample of a face.

    Returns
    -------
    (S, S, 3) float32 RGB in [0, 1], (S, S) how well each texel is seen, and (S, S) how far it is
    covered.
    """
    face = faces.textures[row].astype(np.float32) / 255
    seen = faces.seen[row].astype(np.float32) / 255
    if random.random() < 0.5:
        face, seen = face[:, ::-1].copy(), seen[:, ::-1].copy()
    if random.random() < SHIFTED:
        face, seen = _shifted(face, seen, random)
    covered = np.zeros_like(seen)
    if random.random() < COVERED:
        for _ in range(1 + (random.random() < TWICE)):
            shape = random_cover(places, random)
            stuff, opaque = _stuff(faces, face, random)
            amount = (shape * opaque)[..., None]
            if random.random() < 0.3:
                face = face * (1 - _cast_shadow(shape, random)[..., None])
            face = face + amount * (stuff - face)
            covered = np.maximum(covered, shape)
    return _photographed(face, random), seen, covered


def _stuff(faces: Faces, face: Floating, random: Random) -> tuple[Float, float]:
    """(S, S, 3) what covers a face, and how opaque it is."""
    size = len(face)
    kind = random.random()
    if kind < 0.25:
        other = faces.textures[random.integers(len(faces))].astype(np.float32) / 255
        turned = np.rot90(other, int(random.integers(4)))
        other = np.roll(turned, random.integers(0, size, 2), (0, 1))
        zoom = random.uniform(1, 3)
        part = other[: int(size / zoom), : int(size / zoom)]
        return np.asarray(cv2.resize(part, (size, size)), np.float32), 1.0
    colour = random.random(3) ** random.choice([0.5, 1.0, 2.0])
    colour = colour.mean() + random.random() ** 1.5 * (colour - colour.mean())
    if random.random() < 0.25:
        skin = np.median(face[size // 3 : size // 2, size // 3 : 2 * size // 3], axis=(0, 1))
        colour = skin * np.exp(random.normal(0, 0.15) + random.normal(0, 0.06, 3))
    stuff = np.ones((size, size, 3), np.float32) * colour.astype(np.float32)
    # Folds, the cloth's own shade, and the light that falls on the face too.
    for strength in (random.uniform(0, 0.25), random.uniform(0, 0.12)):
        stuff = stuff * (1 + strength * noise(size, random))[..., None]
    light = cv2.GaussianBlur(face, (0, 0), size / 10).mean(axis=2, keepdims=True)
    stuff = stuff * (light / light.mean()) ** random.uniform(0, 1)
    if random.random() < 0.25:
        stuff = _patterned(stuff, random)
    return stuff.clip(0, 1).astype(np.float32), 1.0 if random.random() < 0.8 else random.uniform(
        0.7, 1
    )


def _patterned(stuff: Float, random: Random) -> Float:
    """Stripes, checks or dots of another colour."""
    size = len(stuff)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    turn, step = random.uniform(0, np.pi), random.uniform(4, 20) * size / 128
    waves = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / step)
    if random.random() < 0.5:
        waves = waves * np.sin((y * np.cos(turn) - x * np.sin(turn)) * 2 * np.pi / step)
    where = (waves > random.uniform(-0.3, 0.6)).astype(np.float32)[..., None]
    return stuff + where * (random.random(3).astype(np.float32) - stuff)


def _cast_shadow(shape: Float, random: Random) -> Float:
    """(S, S) by how much the light is less around a thing."""
    size = len(shape)
    moved = np.roll(shape, tuple(random.integers(-size // 24, size // 24 + 1, 2)), (0, 1))
    soft = cv2.GaussianBlur(moved, (0, 0), random.uniform(0.5, 4) * size / 128)
    return np.asarray(random.uniform(0, 0.6) * soft, np.float32)


def _shifted(face: Float, seen: Float, random: Random) -> tuple[Float, Float]:
    """Return what a head that was fitted a little wrong shows."""
    size = len(face)
    turn, scale = random.normal(0, 2.5), 1 + random.normal(0, 0.03)
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), turn, scale)
    matrix[:, 2] += random.normal(0, 0.012 * size, 2)
    moved = [
        np.asarray(
            cv2.warpAffine(p, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE), np.float32
        )
        for p in (face, seen)
    ]
    return moved[0], moved[1]


def _photographed(face: Floating, random: Random) -> Float:
    """Return a face in some light, by some camera."""
    size = len(face)
    light = np.exp(random.normal(0, 0.3)) * np.exp(random.normal(0, 0.08, 3))
    if random.random() < COLOURED:
        light = light * np.exp(random.uniform(-2.6, 0.2, 3)) ** random.choice([0.3, 0.6, 1.0])
    picture = face * light.astype(np.float32)
    field = np.exp(random.uniform(0, 0.3) * noise(size, random, BROAD))
    picture = picture * field[..., None]
    if random.random() < SHADED:
        picture = picture * _shadow(size, random)
    if random.random() < SHINING:
        spot = np.maximum(noise(size, random) - random.uniform(1.2, 2.2), 0)[..., None]
        picture = picture + random.uniform(0.2, 1) * spot * (light / light.max())
    if random.random() < COLOURLESS:
        picture = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    if random.random() < SMALL:
        less = int(size / random.uniform(1, 4))
        picture = cv2.resize(cv2.resize(picture, (less, less)), (size, size))
    picture = np.clip(picture, 0, 1) ** np.exp(random.normal(0, 0.15))
    picture = picture + random.uniform(0, 0.03) * random.normal(size=picture.shape)
    return np.rint(picture.clip(0, 1) * 255).astype(np.float32) / 255


def _shadow(size: int, random: Random) -> Float:
    """(S, S, 3) light, less behind an edge, in a colour of its own."""
    if random.random() < 0.5:
        y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
        turn = random.uniform(0, 2 * np.pi)
        height = x * np.cos(turn) + y * np.sin(turn) + random.normal(0, 0.02) * noise(size, random)
        height = height - random.normal(0, 0.08)
    else:
        height = 0.1 * (noise(size, random) - random.uniform(-0.5, 1))
    soft = random.choice([0.004, 0.02, 0.08])
    inside = 1 / (1 + np.exp(-(height / soft).clip(-30, 30)))
    depth = random.uniform(0.12, 0.8) * np.exp(random.normal(0, 0.05, 3))
    return (1 - inside[..., None] * (1 - depth)).astype(np.float32)
