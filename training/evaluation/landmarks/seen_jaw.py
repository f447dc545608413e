"""The jaw where people see it, for annotations of 2D style.

People who annotate photos put the far jaw of a turned head on its visible outline, which is not
where the jaw bone's landmarks of a 3D model are. Measured against such points, a mesh without any
error would still have some. Here its jaw's landmarks move to the outline, as they do when the
model is fitted to such points (`backend.fitting.outline`), so that like is compared with like.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backend.fitting.outline import N_JAW, outermost
from backend.fitting.surface_points import jaw_outline
from backend.morphable_model.boxes import RoiBoxes
from backend.morphable_model.model import N_POSE, MorphableModel
from backend.morphable_model.parameters import FaceParameters
from training.evaluation.landmarks.predictions import Predictions

Array = NDArray[np.floating]

SUFFIX = ", jaw as seen"


def with_seen_jaw(predictions: Predictions, model: MorphableModel) -> Predictions:
    """The answers with a further row: the first row's landmarks, the jaw as the mesh shows it.

    Unchanged if the answers come without parameters.
    """
    if not predictions.parameters:
        return predictions
    row, landmarks = next(iter(predictions.landmarks.items()))
    parameters = next(iter(predictions.parameters.values()))
    seen = landmarks.copy()
    known = np.isfinite(np.hstack([parameters, predictions.boxes])).all(axis=1)
    jaw = seen_jaw(parameters[known], predictions.boxes[known], model)
    seen[known, :N_JAW] = jaw[..., : seen.shape[2]]
    return replace(predictions, landmarks=predictions.landmarks | {row + SUFFIX: seen})


def seen_jaw(parameters: Array, boxes: Array, model: MorphableModel) -> Array:
    """Where the outline of meshes runs.

    Parameters
    ----------
    parameters
        (N, 62) in the crop frame of the boxes.
    boxes
        (N, 4) x0, y0, x1, y1 in image pixels.

    Returns
    -------
    (N, 17, 3) image frame, in the order of the jaw's landmarks.
    """
    jaw, faces = jaw_outline(model), FaceParameters(parameters.astype(np.float64))
    alpha_mean, alpha_std = model.parameter_mean[N_POSE:], model.parameter_std[N_POSE:]
    placed = faces.to_crop(jaw.points.at((faces.alpha - alpha_mean) / alpha_std))
    lines = placed.reshape(len(placed), N_JAW, -1, 3)
    chosen = outermost(jaw.lines, lines[..., :2], faces.matrix[:, :2, 1])
    seen = np.take_along_axis(lines, chosen[:, :, None, None], axis=2)[:, :, 0]
    return RoiBoxes.from_corners(boxes).to_image(seen)
