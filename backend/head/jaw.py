"""The lower jaw: how the keys that move it do so, read off from the chin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]

# iBUG-68: between these the skin lies on the bone.
CHIN = slice(7, 10)
# Millimetres around those landmarks that are looked at.
AROUND = 6.0
# (y, z) of the axis through both joints, in front of the ears of the mean head.
HINGE = (6.0, 22.0)
TURNING, SLIDING = "jawOpen", ("jawForward", "jawLeft", "jawRight")


@dataclass(frozen=True)
class JawMotion:
    """How one key at 1 moves what is fixed to the jaw.

    Attributes
    ----------
    rotation
        (3, 3) about the origin of the model frame.
    translation
        (3,) millimetres, after the rotation.
    """

    rotation: Float
    translation: Float

    def delta(self, points: Float) -> Float:
        """(N, 3) millimetres by which points of the jaw move."""
        return points @ (self.rotation - np.eye(3)).T + self.translation


def chin_vertices(model: MorphableModel) -> NDArray[np.int64]:
    """Vertices of the chin that move as the jaw's bone does."""
    landmarks = model.mean[model.landmark_indices[CHIN]]
    apart = np.linalg.norm(model.mean[:, None] - landmarks, axis=-1).min(axis=1)
    return np.flatnonzero(apart < AROUND)


def jaw_motions(chin: Float, deltas: Mapping[str, Float]) -> dict[str, JawMotion]:
    """Read off the jaw's motion.

    Parameters
    ----------
    chin
        (C, 3) the person's chin at rest.
    deltas
        By the name of a key: (C, 3) how it moves the chin. Keys may be absent.

    Returns
    -------
    By key. `jawOpen` turns about the joints' axis by the angle that fits best, the others slide.
    """
    motions = {
        name: JawMotion(np.eye(3), deltas[name].mean(axis=0)) for name in SLIDING if name in deltas
    }
    if TURNING in deltas:
        hinge = np.array([0.0, *HINGE])
        before = (chin - hinge)[:, 1:]
        after = before + deltas[TURNING][:, 1:]
        # Least squares of a rotation in the plane: Procrustes in closed form.
        sine = (before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]).sum()
        angle = np.arctan2(sine, (before * after).sum())
        c, s = np.cos(angle), np.sin(angle)
        rotation = np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
        motions[TURNING] = JawMotion(rotation, hinge - rotation @ hinge)
    return motions
