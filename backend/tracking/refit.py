"""Pose and expression of every sighting, once the shape is settled.

The network guesses the shape anew in every frame, and its pose and expression make up for what
that guess gets wrong. With one shape for all frames they are solved for again: so that the mesh's
landmarks lie on the refined ones, and not far from what the network said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from backend.geometry.camera import CROP_SIZE
from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
from backend.morphable_model.model import N_EXPRESSION, N_POSE, N_SHAPE, MorphableModel
from backend.tracking.history import History

Array = NDArray[np.floating]

ITERATIONS = 4
# Rotation vector, logarithm of the scale, shift in the plane.
N_MOTION = 6
# What one pixel of the crop's 68 landmarks weighs against a standard deviation of the expression
# and against a radian or logarithm of the pose, both as the network said them.
EXPRESSION_PRIOR, MOTION_PRIOR = 12.0, 2000.0
# Depths of the refined landmarks are less certain than their places.
DEPTH_WEIGHT = 0.3
# Sightings that are solved for at once: more are no faster, and take 100 kB each meanwhile.
CHUNK = 128


@dataclass(frozen=True)
class Poses:
    """N heads in the image frame; see `geometry.pose.Pose`.

    Attributes
    ----------
    rotation
        (N, 3, 3), of the model frame, y up.
    scale
        (N,) pixels per millimetre.
    translation
        (N, 3), the model's origin.
    expression
        (N, 10) standard deviations.
    """

    rotation: Array
    scale: Array
    translation: Array
    expression: Array


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
    parts = [vars(_solve(history[chunk], alpha_shape, model)).values() for chunk in chunks]
    joined = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Poses(*joined)


def poses_of(history: History, model: MorphableModel) -> Poses:
    """What the network itself said: the rotation nearest to its matrix."""
    matrix = history.parameters[:, :N_POSE].reshape(-1, 3, 4).astype(np.float64)
    u, singular, vt = np.linalg.svd(matrix[:, :2, :3], full_matrices=False)
    axes = u @ vt
    rotation = np.concatenate([axes, np.cross(axes[:, 0], axes[:, 1])[:, None]], axis=1)
    step = history.box[:, 2].astype(np.float64) / CROP_SIZE
    scale = singular.mean(axis=1) * MICROMETRES_PER_MILLIMETRE * step
    corner = history.box[:, :2] - history.box[:, 2:3] / 2
    x, y, z = matrix[:, :, 3].T
    shift = np.stack([(x - 1) * step, (CROP_SIZE - y) * step, z * step], axis=1)
    shift[:, :2] += corner
    expression = history.parameters[:, N_POSE + N_SHAPE :] / model.expression_sigma
    return Poses(rotation, scale, shift, expression.astype(np.float64))


def parameters_of(poses: Poses, box: Array, alpha_shape: Array, model: MorphableModel) -> Array:
    """(N, 62) float32 parameters of poses in the crop frames of upright boxes.

    Parameters
    ----------
    box
        (N, 4) x, y, side, roll; the roll is left aside.
    """
    step = box[:, 2] / CROP_SIZE
    crop = (poses.translation[:, :2] - (box[:, :2] - box[:, 2:3] / 2)) / step[:, None]
    depth = poses.translation[:, 2] / step
    translation = np.stack([crop[:, 0] + 1, CROP_SIZE - crop[:, 1], depth], axis=1)
    scale = poses.scale / step / MICROMETRES_PER_MILLIMETRE
    matrix = np.concatenate(
        [poses.rotation * scale[:, None, None], translation[:, :, None]], axis=2
    )
    shape = np.broadcast_to(alpha_shape, (len(box), N_SHAPE))
    expression = poses.expression * model.expression_sigma
    return np.concatenate([matrix.reshape(-1, N_POSE), shape, expression], 1).astype(np.float32)


def _solve(history: History, alpha_shape: Array, model: MorphableModel) -> Poses:
    """Gauss-Newton, for all sightings at once, in pixels of their crops."""
    said = poses_of(history, model)
    step = (history.box[:, 2] / CROP_SIZE).astype(np.float64)
    target = history.landmarks.astype(np.float64)
    neutral = model.landmark_mean + model.landmark_basis[:, :, :N_SHAPE] @ alpha_shape
    basis = model.landmark_basis[:, :, N_SHAPE:] * model.expression_sigma
    weight = np.array([1.0, 1.0, DEPTH_WEIGHT])
    prior = np.concatenate(
        [np.full(4, MOTION_PRIOR), np.zeros(2), np.full(N_EXPRESSION, EXPRESSION_PRIOR)]
    )
    poses = said
    for _ in range(ITERATIONS):
        head = neutral + (basis @ poses.expression.T).transpose(2, 0, 1)
        linear = poses.rotation * (poses.scale / step)[:, None, None]
        turned = head @ linear.swapaxes(1, 2)
        shift = poses.translation / step[:, None]
        residual = (target / step[:, None, None] - shift[:, None]) * _FLIP - turned
        # How deep a face lies as a whole no picture shows.
        residual[..., 2] -= residual[..., 2].mean(axis=1, keepdims=True)
        jacobian = _jacobian(turned, np.einsum("nij,pjc->npic", linear, basis, optimize=True))
        rows = (jacobian * weight[:, None]).reshape(len(step), -1, N_MOTION + N_EXPRESSION)
        transposed = rows.swapaxes(1, 2)
        normal = transposed @ rows + np.diag(prior)
        gradient = (transposed @ (residual * weight).reshape(len(step), -1, 1))[..., 0]
        gradient -= prior * _departure(poses, said)
        poses = _moved(poses, np.linalg.solve(normal, gradient[..., None])[..., 0], step)
    return poses


# The image frame's y points down, the model's up.
_FLIP = np.array([1.0, -1.0, 1.0])


def _departure(poses: Poses, said: Poses) -> Array:
    """(N, 16) how far poses are from those that the network said."""
    turn = Rotation.from_matrix(poses.rotation @ said.rotation.swapaxes(1, 2)).as_rotvec()
    grown = np.log(poses.scale / said.scale)[:, None]
    return np.concatenate(
        [turn, grown, np.zeros((len(turn), 2)), poses.expression - said.expression], axis=1
    )


def _moved(poses: Poses, change: Array, step: Array) -> Poses:
    shift = np.zeros_like(poses.translation)
    shift[:, :2] = change[:, 4:N_MOTION] * _FLIP[:2] * step[:, None]
    return Poses(
        Rotation.from_rotvec(change[:, :3]).as_matrix() @ poses.rotation,
        poses.scale * np.exp(change[:, 3]),
        poses.translation + shift,
        poses.expression + change[:, N_MOTION:],
    )


def _jacobian(turned: Array, by_expression: Array) -> Array:
    """(N, 68, 3, 16) of points, y up, by rotation vector, logarithm of scale, shift, expression."""
    x, y, z = np.moveaxis(turned, -1, 0)
    by_motion = np.zeros((*turned.shape, N_MOTION))
    by_motion[..., 0, 1], by_motion[..., 0, 2] = z, -y
    by_motion[..., 1, 0], by_motion[..., 1, 2] = -z, x
    by_motion[..., 2, 0], by_motion[..., 2, 1] = y, -x
    by_motion[..., 3] = turned
    by_motion[..., 0, 4] = by_motion[..., 1, 5] = 1
    jacobian = np.concatenate([by_motion, by_expression], axis=-1)
    # The depths' common shift is free, so only differences of depths count.
    jacobian[..., 2, :] -= jacobian[..., 2, :].mean(axis=1, keepdims=True)
    return jacobian
