"""Errors of head orientation, as the pose literature measures them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.geometry.pose import Convention, euler_angles
from backend.morphable_model.model import N_POSE
from backend.morphable_model.parameters import FaceParameters

CONVENTIONS: tuple[Convention, ...] = ("exact", "official")
ANGLES = ("yaw", "pitch", "roll")

# Faces with an annotated angle beyond this are left out, as all who report on AFLW2000-3D do.
LARGEST_ANGLE = 99.0


def angles_of(
    parameters: NDArray[np.floating], convention: Convention = "exact"
) -> NDArray[np.float64]:
    """(N, 62) parameters in upright crop frames -> (N, 3) yaw, pitch, roll in degrees.

    Rows that are not finite give NaN. See `backend.geometry.pose.euler_angles`.
    """
    angles = np.full((len(parameters), 3), np.nan)
    known = np.isfinite(parameters[:, :N_POSE]).all(axis=1)
    angles[known] = euler_angles(FaceParameters(parameters[known]).pose.rotation, convention)
    return angles


def counts(truth: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(N,), which of (N, 3) true angles take part: none is beyond 99 degrees, and all are known
    that are known of any photo.
    """
    known = np.isfinite(truth)
    beyond = np.abs(np.where(known, truth, 0)) > LARGEST_ANGLE
    complete = known[:, known.any(axis=0)].all(axis=1) & known.any()
    return np.asarray(complete & ~beyond.any(axis=1))


def angle_errors(
    predicted: NDArray[np.floating], truth: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Absolute differences in degrees, the short way round; NaN where either is unknown."""
    difference = np.abs(np.asarray(predicted, np.float64) - truth) % 360
    return np.minimum(difference, 360 - difference)
