"""MediaPipe's points on heads with the 52 keys."""

from __future__ import annotations

import numpy as np

from backend.expressions.basis import ExpressionBasis
from backend.expressions.evidence import N_POINTS
from backend.expressions.keyed_points import Array, KeyedPoints
from backend.expressions.points import N_MESH_POINTS, MediaPipePoints, load_table
from backend.morphable_model.model import MorphableModel


def head_points(model: MorphableModel, basis: ExpressionBasis) -> KeyedPoints:
    """MediaPipe's points on the model, moved by everything that moves it.

    The keys are those of the mean head, with lids and lips that close.
    """
    table = load_table().on_rims(basis.eyes, basis.mouth, model.mean)
    keys = basis.of_person(model.mean).at(table.corners, table.weights)
    shape = _places(table, model.basis[: len(model.shape_sigma)])
    expression = _places(table, model.basis[len(model.shape_sigma) :])
    expression = expression * model.expression_sigma[:, None, None]
    reliable = np.zeros(N_POINTS, bool)
    reliable[:N_MESH_POINTS] = table.reliable
    return KeyedPoints(_places(table, model.mean), shape, expression, _padded(keys), reliable)


def _places(table: MediaPipePoints, vertices: Array) -> Array:
    """(..., 478, 3) of (..., V, 3)."""
    return _padded(table.at(vertices))


def _padded(points: Array) -> Array:
    """(..., 478, 3): the irises, which have no place, at 0."""
    padded = np.zeros((*points.shape[:-2], N_POINTS, 3), points.dtype)
    padded[..., :N_MESH_POINTS, :] = points
    return padded
