"""Pose and coefficients that bring the model's points to given ones, for many faces at once.

Everything here is in a frame that is y up, like the crop frame, with its origin anywhere. The
unknowns of a face are a rotation vector, the logarithm of the scale, a shift, and C coefficients in
standard deviations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from backend.fitting.outline import N_JAW, outermost
from backend.fitting.surface_points import JawOutline, SurfacePoints
from backend.geometry.pose import Pose, nearest_rotation

Float = NDArray[np.floating]

# Rotation vector, logarithm of the scale, shift.
N_MOTION = 7
# Keeps what no point determines (the shift in depth of points without depth) where it is.
MOTION_DAMPING = 1e-6


@dataclass(frozen=True)
class FittedFaces:
    """N faces.

    Attributes
    ----------
    pose
        N poses.
    coefficients
        (N, C) in standard deviations.
    """

    pose: Pose
    coefficients: Float


@dataclass(frozen=True)
class PointFit:
    """What is to be brought where.

    Attributes
    ----------
    surface
        P points of the model, moved by C coefficients.
    targets
        (N, P, D) pixels, y up; D = 2, or 3 with depth up to a constant.
    weights
        (N, P, D) of the squared distances; 0 where there is no target.
    prior
        (7 + C,) weights of the squared departures from where the fit starts.
    jaw
        Where the first 17 points may move, or None.
    """

    surface: SurfacePoints
    targets: Float
    weights: Float
    prior: Float
    jaw: JawOutline | None = None


def solve(task: PointFit, start: FittedFaces, iterations: int) -> FittedFaces:
    """Find the least squares by Gauss-Newton; the jaw's points move in every step."""
    faces = start
    for _ in range(iterations):
        faces = _step(task, faces, start)
    return faces


def placed_points(task: PointFit, faces: FittedFaces) -> Float:
    """Place the model's points, the jaw's where they have moved to: (N, P, 3) pixels."""
    placed = _turned(task, faces)
    if task.jaw is not None:
        placed[:, :N_JAW] = _outline(task.jaw, faces)[0]
    return placed + faces.pose.translation[:, None]


def first_pose(task: PointFit) -> FittedFaces:
    """Return the pose the mean face: nearest to the affine map that best explains the targets in
    the
    plane.
    """
    weights = task.weights[..., 0]
    mean = task.surface.mean
    count = weights.sum(axis=1)
    centre = (weights @ mean) / count[:, None]
    middle = np.einsum("np,npd->nd", weights, task.targets[..., :2]) / count[:, None]
    model = mean - centre[:, None]
    weighted = model * weights[..., None]
    normal = weighted.swapaxes(1, 2) @ model
    towards = weighted.swapaxes(1, 2) @ (task.targets[..., :2] - middle[:, None])
    rows = np.linalg.solve(normal, towards).swapaxes(1, 2)
    rotation, scale = nearest_rotation(rows)
    shift = np.zeros((len(scale), 3))
    turned = Pose(rotation, scale, shift).apply(centre[:, None])
    shift[:, :2] = middle - turned[:, 0, :2]
    coefficients = np.zeros((len(scale), task.surface.basis.shape[-1]))
    return FittedFaces(Pose(rotation, scale, shift), coefficients)


def _step(task: PointFit, faces: FittedFaces, start: FittedFaces) -> FittedFaces:
    pose, depths = faces.pose, task.targets.shape[2]
    placed, jacobian = _placed(task, faces)
    residual = task.targets - (placed + pose.translation[:, None])[..., :depths]
    # Rows coordinate by coordinate, weighted by the roots: so one product of them with themselves.
    root = np.sqrt(task.weights).swapaxes(1, 2)
    rows = jacobian[:, :depths]
    rows *= root[..., None]
    n, unknowns = len(placed), rows.shape[-1]
    rows = rows.reshape(n, -1, unknowns)
    transposed = rows.swapaxes(1, 2)
    damping = np.zeros(unknowns)
    damping[:N_MOTION] = MOTION_DAMPING
    normal = transposed @ rows + np.diag(task.prior + damping)
    gradient = (transposed @ (residual.swapaxes(1, 2) * root).reshape(n, -1, 1))[..., 0]
    gradient -= task.prior * _departure(faces, start)
    change = np.linalg.solve(normal, gradient[..., None])[..., 0]
    moved = Pose(
        Rotation.from_rotvec(change[:, :3]).as_matrix() @ pose.rotation,
        pose.scale * np.exp(change[:, 3]),
        pose.translation + change[:, 4:N_MOTION],
    )
    return FittedFaces(moved, faces.coefficients + change[:, N_MOTION:])


def _departure(faces: FittedFaces, start: FittedFaces) -> Float:
    """Return (N, 7 + C) how far faces are from where they started, in the order of the unknowns."""
    turn = faces.pose.rotation @ start.pose.rotation.swapaxes(1, 2)
    return np.column_stack(
        [
            Rotation.from_matrix(turn).as_rotvec(),
            np.log(faces.pose.scale / start.pose.scale),
            faces.pose.translation - start.pose.translation,
            faces.coefficients - start.coefficients,
        ]
    )


def _turned(task: PointFit, faces: FittedFaces) -> Float:
    """Return (N, P, 3) turned and scaled points, not shifted."""
    return task.surface.at(faces.coefficients) @ faces.pose.linear.swapaxes(1, 2)


def _placed(task: PointFit, faces: FittedFaces) -> tuple[Float, Float]:
    """Return the turned points, the jaw's where they have moved to, and the derivatives.

    Those are (N, 3, P, 7 + C), by rotation vector, logarithm of the scale, shift and coefficients.
    """
    linear, placed = faces.pose.linear, _turned(task, faces)
    n, (p, _, c) = len(linear), task.surface.basis.shape
    jacobian = np.empty((n, 3, p, N_MOTION + c))
    # One matrix product for all faces and points.
    columns = task.surface.basis.transpose(1, 0, 2).reshape(3, p * c)
    jacobian[..., N_MOTION:] = (linear.reshape(-1, 3) @ columns).reshape(n, 3, p, c)
    if task.jaw is not None:
        placed[:, :N_JAW], jacobian[:, :, :N_JAW, N_MOTION:] = _outline(task.jaw, faces)
    x, y, z = coordinates = np.moveaxis(placed, -1, 0)
    by_motion = jacobian[..., :N_MOTION]
    by_motion[...] = 0
    by_motion[:, 0, :, 1], by_motion[:, 0, :, 2] = z, -y
    by_motion[:, 1, :, 0], by_motion[:, 1, :, 2] = -z, x
    by_motion[:, 2, :, 0], by_motion[:, 2, :, 1] = y, -x
    by_motion[..., 3] = coordinates.swapaxes(0, 1)
    by_motion[..., 4:] = np.eye(3)[:, None]
    return placed, jacobian


def _outline(jaw: JawOutline, faces: FittedFaces) -> tuple[Float, Float]:
    """Place the 17 points of the jaw, each at the best of its line: (N, 17, 3), (N, 3, 17, C)."""
    linear = faces.pose.linear
    candidates = jaw.points.at(faces.coefficients) @ linear.swapaxes(1, 2)
    lines = candidates.reshape(len(linear), N_JAW, -1, 3)
    chosen = outermost(jaw.lines, lines[..., :2], linear[:, :2, 1])
    flat = np.arange(N_JAW) * lines.shape[2] + chosen
    derivative = np.einsum("nij,npjc->nipc", linear, jaw.points.basis[flat], optimize=True)
    return np.take_along_axis(candidates, flat[..., None], axis=1), derivative
