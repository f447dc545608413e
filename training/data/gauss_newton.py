"""Pose and coefficients that bring the model's points to given ones, for many faces at once.

Everything here is in a frame that is y up, like the crop frame, with its origin anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from training.data.marching import N_JAW, march
from training.data.surface_points import MarchingJaw, SurfacePoints

Float = NDArray[np.floating]

# Rotation vector, logarithm of the scale, shift.
N_MOTION = 7
# Keeps what no point determines (the shift in depth of points without depth) where it is.
MOTION_RIDGE = 1e-6


@dataclass(frozen=True)
class Faces:
    """N posed faces: ``position = scale * rotation @ vertex + shift``.

    Attributes
    ----------
    rotation
        (N, 3, 3).
    scale
        (N,) pixels per millimetre.
    shift
        (N, 3) pixels.
    whitened
        (N, 50) coefficients in standard deviations.
    """

    rotation: Float
    scale: Float
    shift: Float
    whitened: Float

    @property
    def linear(self) -> Float:
        """(N, 3, 3) scaled rotation."""
        return self.scale[:, None, None] * self.rotation

    def place(self, vertices: Float) -> Float:
        """(N, P, 3) millimetres to pixels."""
        return vertices @ self.linear.swapaxes(1, 2) + self.shift[:, None]


@dataclass(frozen=True)
class Problem:
    """What is to be brought where.

    Attributes
    ----------
    surface
        P points of the model.
    jaw
        Where the first 17 may march, or None.
    targets
        (N, P, D) pixels, y up; D = 2, or 3 with depth up to a constant.
    weights
        (N, P, D) of the squared distances; 0 where there is no target.
    ridge
        (50,) weights of the squared whitened coefficients.
    """

    surface: SurfacePoints
    jaw: MarchingJaw | None
    targets: Float
    weights: Float
    ridge: Float


def solve(problem: Problem, iterations: int) -> Faces:
    """Least squares by Gauss-Newton from the pose of the mean face; the jaw marches every step."""
    faces = first_pose(problem)
    for _ in range(iterations):
        faces = _step(problem, faces)
    return faces


def placed_points(problem: Problem, faces: Faces) -> Float:
    """(N, P, 3) pixels of the model's points, the jaw's where they marched."""
    return _placed(problem, faces)[0] + faces.shift[:, None]


def first_pose(problem: Problem) -> Faces:
    """The scaled rotation closest to the affine map that best explains the targets in the plane."""
    weights = problem.weights[..., 0]
    mean = problem.surface.mean
    count = weights.sum(axis=1)
    centre = (weights @ mean) / count[:, None]
    middle = np.einsum("np,npd->nd", weights, problem.targets[..., :2]) / count[:, None]
    model = mean - centre[:, None]
    weighted = model * weights[..., None]
    normal = weighted.swapaxes(1, 2) @ model
    towards = weighted.swapaxes(1, 2) @ (problem.targets[..., :2] - middle[:, None])
    rows = np.linalg.solve(normal, towards).swapaxes(1, 2)
    u, singular, vt = np.linalg.svd(rows, full_matrices=False)
    axes = u @ vt
    rotation = np.concatenate([axes, np.cross(axes[:, 0], axes[:, 1])[:, None]], axis=1)
    scale = singular.mean(axis=1)
    faces = Faces(rotation, scale, np.zeros((len(scale), 3)), np.zeros((len(scale), 50)))
    shift = faces.shift.copy()
    shift[:, :2] = middle - faces.place(centre[:, None])[:, 0, :2]
    return replace(faces, shift=shift)


def _step(problem: Problem, faces: Faces) -> Faces:
    placed, by_coefficient = _placed(problem, faces)
    depths = problem.targets.shape[2]
    residual = problem.targets - (placed + faces.shift[:, None])[..., :depths]
    by_motion = _motion_derivative(placed)
    jacobian = np.concatenate([by_motion, by_coefficient], axis=-1)[:, :, :depths]
    n, unknowns = len(placed), jacobian.shape[-1]
    jacobian = jacobian.reshape(n, -1, unknowns)
    transposed = (jacobian * problem.weights.reshape(n, -1, 1)).swapaxes(1, 2)
    ridge = np.concatenate([np.full(N_MOTION, MOTION_RIDGE), problem.ridge])
    normal = transposed @ jacobian + np.diag(ridge)
    gradient = (transposed @ residual.reshape(n, -1, 1))[..., 0]
    gradient[:, N_MOTION:] -= problem.ridge * faces.whitened
    change = np.linalg.solve(normal, gradient[..., None])[..., 0]
    return Faces(
        Rotation.from_rotvec(change[:, :3]).as_matrix() @ faces.rotation,
        faces.scale * np.exp(change[:, 3]),
        faces.shift + change[:, 4:N_MOTION],
        faces.whitened + change[:, N_MOTION:],
    )


def _placed(problem: Problem, faces: Faces) -> tuple[Float, Float]:
    """(N, P, 3) turned and scaled points, not shifted, and their (N, P, 3, 50) derivative."""
    surface, linear = problem.surface, faces.linear
    n, (p, _, c) = len(linear), surface.basis.shape
    placed = surface.at(faces.whitened) @ linear.swapaxes(1, 2)
    # One matrix product for all faces and points.
    columns = surface.basis.transpose(1, 0, 2).reshape(3, p * c)
    derivative = (linear.reshape(-1, 3) @ columns).reshape(n, 3, p, c).swapaxes(1, 2)
    if problem.jaw is not None:
        placed[:, :N_JAW], derivative[:, :N_JAW] = _marched(problem.jaw, faces)
    return placed, derivative


def _marched(jaw: MarchingJaw, faces: Faces) -> tuple[Float, Float]:
    """The same for the 17 points of the jaw, each at the best place of its line."""
    linear, n = faces.linear, len(faces.scale)
    candidates = jaw.points.at(faces.whitened) @ linear.swapaxes(1, 2)
    lines = candidates.reshape(n, N_JAW, -1, 3)
    chosen = march(jaw.lines, lines[..., :2], linear[:, :2, 1])
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
