"""A whole head's shape made of the face model and an egg on a pipe, and keys that are drawn."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from backend.head.whole import HeadShape, build_head_shape
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.storage import load_model

Float = NDArray[np.floating]


def egg_on_a_pipe() -> Float:
    """Points of a head that has no face: an ellipsoid, and a cylinder for a neck."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((900, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    egg = directions * (74, 105, 98) + (0, 22, 8)
    turn = rng.uniform(0, 2 * np.pi, 500)
    pipe = np.stack(
        [50 * np.sin(turn), rng.uniform(-150, -60, 500), -8 + 50 * np.cos(turn)], axis=1
    )
    return np.concatenate([egg[egg[:, 1] > -50], pipe])


@cache
def shape_of_everybody() -> HeadShape:
    """Made once for all tests of a process: that takes some seconds."""
    return build_head_shape(load_model(), egg_on_a_pipe())


def drawn_keys(model: MorphableModel) -> dict[str, Float]:
    """A jaw that turns by 15 degrees, lids that come down, and a key that moves nothing."""
    mean = model.mean.astype(np.float64)
    below = np.clip((-45 - mean[:, 1]) / 10, 0, 1)[:, None] * (mean[:, 2:] > 40)
    c, s = np.cos(np.radians(15)), np.sin(np.radians(15))
    hinge = np.array([0, 6, 22])
    turned = (mean - hinge) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T + hinge
    lid = np.exp(-0.5 * ((mean - (31, 30, 95)) / (9, 3, 6)) ** 2).prod(axis=1)
    return {
        "jawOpen": (below * (turned - mean)).astype(np.float32),
        "eyeBlinkLeft": (lid[:, None] * (0, -7, 0.5)).astype(np.float32),
        "tongueOut": np.zeros_like(model.mean),
    }


def people(model: MorphableModel, count: int) -> list[Float]:
    """Heads two standard deviations from the mean in every coefficient."""
    rng = np.random.default_rng(5)
    signs = rng.choice([-2.0, 2.0], (count, len(model.shape_sigma)))
    return [model.vertices((row * model.shape_sigma).astype(np.float32)) for row in signs]
