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
    return _placed(task, faces)[0] + faces.pose.translation[:, None]


def first_pose(task: PointFit) -> FittedFaces:
    """Pose the mean face: nearest to the affine map that best explains the targets in the plane."""
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
    placed, by_coefficient = _placed(task, faces)
    pose, depths = faces.pose, task.targets.shape[2]
    residual = task.targets - (placed + pose.translation[:, None])[..., :depths]
    by_motion = _motion_derivative(placed)
    jacobian = np.concatenate([by_motion, by_coefficient], axis=-1)[:, :, :depths]
    n, unknowns = len(placed), jacobian.shape[-1]
    jacobian = jacobian.reshape(n, -1, unknowns)
    transposed = (jacobian * task.weights.reshape(n, -1, 1)).swapaxes(1, 2)
    damping = np.zeros(unknowns)
    damping[:N_MOTION] = MOTION_DAMPING
    normal = transposed @ jacobian + np.diag(task.prior + damping)
    gradient = (transposed @ residual.reshape(n, -1, 1))[..., 0]
    gradient -= task.prior * _departure(faces, start)
    change = np.linalg.solve(normal, gradient[..., None])[..., 0]
    moved = Pose(
        Rotation.from_rotvec(change[:, :3]).as_matrix() @ pose.rotation,
        pose.scale * np.exp(change[:, 3]),
        pose.translation + change[:, 4:N_MOTION],
    )
    return FittedFaces(moved, faces.coefficients + change[:, N_MOTION:])


def _departure(faces: FittedFaces, start: FittedFaces) -> Float:
    """(N, 7 + C) how far faces are from where they started, in the order of the unknowns."""
    turn = faces.pose.rotation @ start.pose.rotation.swapaxes(1, 2)
    return np.column_stack(
        [
            Rotation.from_matrix(turn).as_rotvec(),
            np.log(faces.pose.scale / start.pose.scale),
            faces.pose.translation - start.pose.translation,
            faces.coefficients - start.coefficients,
        ]
    )


def _placed(task: PointFit, faces: FittedFaces) -> tuple[Float, Float]:
    """(N, P, 3) turned and scaled points, not shifted, and their (N, P, 3, C) derivative."""
    surface, linear = task.surface, faces.pose.linear
    n, (p, _, c) = len(linear), surface.basis.shape
    placed = surface.at(faces.coefficients) @ linear.swapaxes(1, 2)
    # One matrix product for all faces and points.
    columns = surface.basis.transpose(1, 0, 2).reshape(3, p * c)
    derivative = (linear.reshape(-1, 3) @ columns).reshape(n, 3, p, c).swapaxes(1, 2)
    if task.jaw is not None:
        placed[:, :N_JAW], derivative[:, :N_JAW] = _outline(task.jaw, faces)
    return placed, derivative


def _outline(jaw: JawOutline, faces: FittedFaces) -> tuple[Float, Float]:
    """The same for the 17 points of the jaw, each at the best place of its line."""
    linear = faces.pose.linear
    candidates = jaw.points.at(faces.coefficients) @ linear.swapaxes(1, 2)
    lines = candidates.reshape(len(linear), N_JAW, -1, 3)
    chosen = outermost(jaw.lines, lines[..., :2], linear[:, :2, 1])
    flat = np.arange(N_JAW) * lines.shape[2] + chosen
    basis = jaw.points.basis[flat]
    derivative = np.einsum("nij,npjc->npic", linear, basis, optimize=True)
    return np.take_along_axis(candidates, flat[..., None], axis=1), derivative


def _motion_derivative(placed: Float) -> Float:
    """(N, P, 3, 7) of points by rotation vector, logarithm of the scale and shift."""
    x, y, z = np.moveaxis(placed, -1, 0)
    derivative = np.zeros((*placed.shape, N_MOTION))
    derivative[..., 0, 1], derivative[..., 0, 2] = z, -y
    derivative[..., 1, 0], derivative[..., 1, 2] = -z, x
    derivative[..., 2, 0], derivative[..., 2, 1] = y, -x
    derivative[..., 3] = placed
    derivative[..., 4:] = np.eye(3)
    return derivative
