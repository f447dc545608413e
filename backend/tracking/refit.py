"""Pose and expression of every sighting, once the shape is settled.

The network guesses the shape anew in every frame, and its pose and expression make up for what
that guess gets wrong. With one shape for all frames they are solved for again: so that the mesh's
landmarks lie on the refined ones, and not far from what the network said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.fitting.gauss_newton import FittedFaces, PointFit, solve
from backend.fitting.surface_points import landmarks_of_shape
from backend.geometry.pose import Pose
from backend.morphable_model.boxes import CROP_SIZE, RoiBoxes
from backend.morphable_model.model import N_EXPRESSION, N_SHAPE, MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.tracking.history import History

Array = NDArray[np.floating]

ITERATIONS = 4
# What one pixel of the crop's 68 landmarks weighs against a standard deviation of the expression
# and against a radian or logarithm of the pose, both as the network said them.
EXPRESSION_PRIOR, MOTION_PRIOR = 12.0, 2000.0
PRIOR = np.repeat([MOTION_PRIOR, 0.0, EXPRESSION_PRIOR], [4, 3, N_EXPRESSION])
# Depths of the refined landmarks are less certain than their places.
DEPTH_WEIGHT = 0.3
# Sightings that are solved for at once: more are no faster, and take 100 kB each meanwhile.
CHUNK = 128
# The image frame's y points down, the model's up.
FLIP = np.array([1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Poses:
    """N heads of one person.

    Attributes
    ----------
    pose
        N poses in the image frame: rotations of the model frame, y up, and translations of its
        origin, y down.
    expression
        (N, 10) standard deviations.
    """

    pose: Pose
    expression: Array

    def parameters(
        self, boxes: RoiBoxes, alpha_shape: Array, model: MorphableModel
    ) -> NDArray[np.float32]:
        """(N, 62) in the crop frames of upright boxes."""
        shape = np.broadcast_to(alpha_shape, (len(boxes), N_SHAPE))
        alpha = np.concatenate([shape, self.expression * model.expression_sigma], axis=1)
        return np.asarray(FaceParameters.of_image(self.pose, alpha, boxes).numbers, np.float32)


def refit(history: History, alpha_shape: Array, model: MorphableModel) -> Poses:
    """Solve for pose and expression with a given shape.

    Parameters
    ----------
    history
        N sightings of one person.
    alpha_shape
        (40,) as in the 62 parameters.
    """
    rows = np.arange(len(history))
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    parts = [_solve(history[chunk], alpha_shape, model) for chunk in chunks]
    return Poses(
        Pose(
            np.concatenate([part.pose.rotation for part in parts]),
            np.concatenate([np.asarray(part.pose.scale) for part in parts]),
            np.concatenate([part.pose.translation for part in parts]),
        ),
        np.concatenate([part.expression for part in parts]),
    )


def poses_of(history: History, model: MorphableModel) -> Poses:
    """Take what the network itself said: the rotation nearest to its matrix."""
    faces = FaceParameters(history.parameters)
    expression = (faces.alpha_exp / model.expression_sigma).astype(np.float64)
    return Poses(faces.pose_in_image(history.boxes), expression)


def _solve(history: History, alpha_shape: Array, model: MorphableModel) -> Poses:
    """Solve for all sightings at once, in pixels of their crops, y up."""
    said = poses_of(history, model)
    step = (history.box[:, 2] / CROP_SIZE).astype(np.float64)
    to_crop = FLIP / step[:, None]
    weights = np.array([1.0, 1.0, DEPTH_WEIGHT**2])
    task = PointFit(
        landmarks_of_shape(model, alpha_shape),
        history.landmarks * to_crop[:, None],
        np.broadcast_to(weights, history.landmarks.shape),
        PRIOR,
    )
    start = Pose(said.pose.rotation, said.pose.scale / step, said.pose.translation * to_crop)
    found = solve(task, FittedFaces(start, said.expression), ITERATIONS)
    translation = found.pose.translation / to_crop
    # How deep a face lies as a whole no picture shows: it stays where the network said.
    translation[:, 2] = said.pose.translation[:, 2]
    pose = Pose(found.pose.rotation, found.pose.scale * step, translation)
    return Poses(pose, found.coefficients)
