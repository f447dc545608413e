"""Points of the face model to which annotated points belong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.fitting.outline import JawLines, jaw_lines
from backend.morphable_model.model import N_POSE, N_SHAPE, MorphableModel

Float = NDArray[np.floating]


@dataclass(frozen=True)
class SurfacePoints:
    """P points on the face for any C coefficients in standard deviations: ``mean + basis @ w``.

    Attributes
    ----------
    mean
        (P, 3) millimetres. For all coefficients it is the face of their mean (`parameter_mean`).
    basis
        (P, 3, C) millimetres per standard deviation: shape then expression, or expression alone.
    """

    mean: Float
    basis: Float

    def at(self, whitened: Float) -> Float:
        """Place the points of N faces, (N, C) -> (N, P, 3) millimetres."""
        flat = whitened @ self.basis.reshape(-1, self.basis.shape[-1]).T
        return self.mean + flat.reshape(len(whitened), *self.mean.shape)


@dataclass(frozen=True)
class JawOutline:
    """Where the first 17 of the points may move, and the points of these lines (17 * K)."""

    lines: JawLines
    points: SurfacePoints


def vertex_points(model: MorphableModel, vertices: NDArray[np.integer]) -> SurfacePoints:
    """Take (P,) vertices of the model."""
    return barycentric_points(model, vertices[:, None], np.ones((len(vertices), 1)))


def barycentric_points(
    model: MorphableModel, corners: NDArray[np.integer], weights: NDArray[np.floating]
) -> SurfacePoints:
    """Take points inside triangles: (P, 3) vertex indices and weights of the corners."""
    weights = weights.astype(np.float64)
    mean = np.einsum("pk,pkx->px", weights, model.mean[corners])
    basis = np.einsum("pk,cpkx->pxc", weights, model.basis[:, corners], optimize=True)
    alpha = model.parameter_mean[N_POSE:].astype(np.float64)
    sigma = model.parameter_std[N_POSE:].astype(np.float64)
    return SurfacePoints(mean + basis @ alpha, np.ascontiguousarray(basis * sigma))


def landmarks_of_shape(model: MorphableModel, alpha_shape: Float) -> SurfacePoints:
    """Take the 68 landmarks of a person, which only the 10 of the expression still move.

    Here the coefficients are ``alpha_exp / sigma``: zero is no expression, not the mean one.
    """
    neutral = model.landmark_mean + model.landmark_basis[:, :, :N_SHAPE] @ alpha_shape
    per_sigma = model.landmark_basis[:, :, N_SHAPE:] * model.expression_sigma
    return SurfacePoints(neutral.astype(np.float64), per_sigma.astype(np.float64))


def jaw_outline(model: MorphableModel) -> JawOutline:
    """Take the lines along which the jaw's landmarks move, see `backend.fitting.outline`."""
    lines = jaw_lines(model)
    return JawOutline(lines, vertex_points(model, lines.vertices.ravel()))
