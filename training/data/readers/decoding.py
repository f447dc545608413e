"""From parameters to landmarks, as both public sets need it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.geometry.camera import CROP_SIZE
from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
from backend.morphable_model.model import N_POSE, MorphableModel


def scaled_landmarks(
    model: MorphableModel, matrices: NDArray[np.floating], alphas: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(N, 68, 3) landmarks ``M[:, :3] (mean + B alpha) + M[:, 3]`` with B in micrometres.

    Parameters
    ----------
    model
        The face model.
    matrices
        (N, 3, 4) from micrometres to any frame.
    alphas
        (N, 50) coefficients of shape and expression.
    """
    heads = model.landmark_mean + np.einsum("pck,nk->npc", model.landmark_basis, alphas)
    heads = heads.astype(np.float64) * MICROMETRES_PER_MILLIMETRE
    return heads @ np.swapaxes(matrices[:, :, :3], 1, 2) + matrices[:, None, :, 3]


def parameters_in_boxes(
    matrices: NDArray[np.floating], alphas: NDArray[np.floating], boxes: NDArray[np.floating]
) -> NDArray[np.float32]:
    """(N, 62) parameters in the crop frames of square boxes.

    Parameters
    ----------
    matrices
        (N, 3, 4) from micrometres to the image frame turned y up: x right and -y of the pixels,
        z to the viewer.
    alphas
        (N, 50).
    boxes
        (N, 4) x0, y0, x1, y1 in image pixels.
    """
    scale = CROP_SIZE / (boxes[:, 2] - boxes[:, 0])
    crop = matrices * scale[:, None, None]
    # The crop frame counts x from 1 at the box's left, and y upwards to 120 at its top.
    crop[:, 0, 3] += 1 - scale * boxes[:, 0]
    crop[:, 1, 3] += CROP_SIZE + scale * boxes[:, 1]
    return np.hstack([crop.reshape(-1, N_POSE), alphas]).astype(np.float32)
