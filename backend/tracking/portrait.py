"""What a face looks like, whatever its pose and light: people of like colours are told apart by it.

The picture of a face is unwrapped onto the model's chart, so that an eyebrow lies where an eyebrow
lies, and what is coarse in it, light and complexion, is taken away. What is left are features:
brows, lids, wrinkles, lips, beard. Half of the mean face's is taken away too: it tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.texture.mean_face import read_mean_texture
from backend.texture.unwrap import unwrap
from backend.texture.uv_map import UvMap
from backend.texture.visibility import visibility
from backend.tracking.best_views import View
from backend.tracking.history import History

Float = NDArray[np.float32]

# Texels on each side, and how many of them what is coarse extends over.
SIZE, COARSE = 64, 4.0
# Added to brightness before its logarithm is taken: darker than that is noise.
DARKEST = 0.03
# Contrast, of logarithms, up to which features are not made stronger.
FAINT = np.float32(0.02)
# How much of the mean face's features is taken away.
USUAL = np.float32(0.5)
# Share of the chart that two portraits must both show to be compared.
LEAST_COMMON = 0.1


@dataclass(frozen=True)
class Portrait:
    """Features of a face in one view.

    Attributes
    ----------
    features
        (64, 64) float32 on the model's chart.
    seen
        (64, 64) float32 in [0, 1], how well they are seen.
    """

    features: Float
    seen: Float


class Portrayer:
    """Makes portraits. Building it takes a moment: keep it for all faces of a clip."""

    def __init__(self, model: MorphableModel) -> None:
        self._model = model
        self._uv_map = UvMap.of(model, SIZE)
        self._mean = _fine(read_mean_texture(SIZE), np.ones((SIZE, SIZE), np.float32))

    def portrait(self, view: View, seen: History, index: int) -> Portrait:
        """Portrait of a face in a view of it, which is a sighting of its history."""
        face = FaceParameters(seen.parameters[index])
        vertices = view.carry(face.vertices_image(self._model, seen.boxes[index]))
        image = view.image
        weights = visibility(vertices, self._model, image.shape[:2])
        spread = self._uv_map.spread(weights[:, None])[..., 0]
        fine = _fine(unwrap(image, vertices, self._uv_map), spread)
        return Portrait(np.asarray(fine - USUAL * self._mean, np.float32), spread)


def unlikeness(a: list[Portrait], b: list[Portrait]) -> float | None:
    """How unlike two faces are in the two portraits that are most alike.

    A bad fit, a grimace or a shadow makes portraits of one person unlike; nothing makes strangers'
    alike.

    Returns
    -------
    One less the correlation of the features: about 1 for strangers. None if no two portraits show
    enough of the same.
    """
    pairs = [(p, q, np.minimum(p.seen, q.seen)) for p in a for q in b]
    found = [_apart(p, q, common) for p, q, common in pairs if common.mean() >= LEAST_COMMON]
    return min(found, default=None)


def _apart(a: Portrait, b: Portrait, common: Float) -> float:
    together = _unit(a.features, common) * _unit(b.features, common)
    return float(1 - np.average(together, weights=common))


def _fine(colors: Float, seen: Float) -> Float:
    """(S, S) what is fine in the brightness of (S, S, 3) colours, everywhere of one strength."""
    brightness = np.log(np.asarray(colors.mean(axis=2), np.float32) + np.float32(DARKEST))
    fine = brightness - _around(brightness, seen, COARSE)
    strength = np.sqrt(_around(fine**2, seen, 2 * COARSE) + FAINT**2)
    return _unit(fine / strength, seen)


def _around(picture: Float, seen: Float, reach: float) -> Float:
    """(S, S) mean around each texel of what is seen."""
    weights = cv2.GaussianBlur(seen, (0, 0), reach)
    total = cv2.GaussianBlur(picture * seen, (0, 0), reach)
    return np.asarray(total / (weights + np.float32(1e-3)), np.float32)


def _unit(features: NDArray[np.floating], seen: Float) -> Float:
    """Features of root mean square 1 where they are seen."""
    power = (seen * features**2).sum() / (seen.sum() + 1e-6)
    return np.asarray(features / np.sqrt(power + 1e-6), np.float32)
