"""Points of the face model to which annotated points belong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import N_POSE, MorphableModel
from training.data.marching import JawLines, jaw_lines

Float = NDArray[np.floating]


@dataclass(frozen=True)
class SurfacePoints:
    """P points on the face for any whitened coefficients: ``mean + basis @ w``.

    Attributes
    ----------
    mean
        (P, 3) millimetres, the face of mean coefficients (`parameter_mean`).
    basis
        (P, 3, 50) millimetres per standard deviation, shape then expression.
    """

    mean: Float
    basis: Float

    def at(self, whitened: Float) -> Float:
        """(N, P, 3) millimetres of N faces from (N, 50)."""
        flat = whitened @ self.basis.reshape(-1, self.basis.shape[-1]).T
        return self.mean + flat.reshape(len(whitened), *self.mean.shape)


@dataclass(frozen=True)
class MarchingJaw:
    """Where the first 17 of the points may march, and the points of these lines (17 * K)."""

    lines: JawLines
    points: SurfacePoints


def vertex_points(model: MorphableModel, vertices: NDArray[np.integer]) -> SurfacePoints:
    """Vertices (P,) of the model."""
    return barycentric_points(model, vertices[:, None], np.ones((len(vertices), 1)))


def barycentric_points(
    model: MorphableModel, corners: NDArray[np.integer], weights: NDArray[np.floating]
) -> SurfacePoints:
    """Points inside triangles: (P, 3) vertex indices and weights of the corners."""
    weights = weights.astype(np.float64)
    mean = np.einsum("pk,pkx->px", weights, model.mean[corners])
    basis = np.einsum("pk,cpkx->pxc", weights, model.basis[:, corners], optimize=True)
    alpha = model.parameter_mean[N_POSE:].astype(np.float64)
    sigma = model.parameter_std[N_POSE:].astype(np.float64)
    return SurfacePoints(mean + basis @ alpha, np.ascontiguousarray(basis * sigma))


def marching_jaw(model: MorphableModel) -> MarchingJaw:
    """The lines along which the jaw's landmarks march, see `training.data.marching`."""
    lines = jaw_lines(model)
    return MarchingJaw(lines, vertex_points(model, lines.vertices.ravel()))
