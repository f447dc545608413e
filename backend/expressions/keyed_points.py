"""MediaPipe's 478 points on the head, and how everything that moves the head moves them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backend.expressions.basis import ExpressionBasis
from backend.expressions.evidence import N_POINTS, evidence
from backend.expressions.points import N_MESH_POINTS, load_table
from backend.expressions.solve import bounded_least_squares
from backend.morphable_model.model import N_SHAPE, MorphableModel

Array = NDArray[np.floating]

N_IRISES = N_POINTS - N_MESH_POINTS

# What is added to each key's own square, as a share of the mean: it decides between keys that move
# the points alike, and takes nothing away from those that do not.
RIDGE = 0.001
# What a key costs, in the same unit: what noise alone would call for stays 0.
SPARSITY = 0.0005


@dataclass(frozen=True)
class KeyedPoints:
    """MediaPipe's points on one person's head, in millimetres of the model frame.

    Attributes
    ----------
    neutral
        (478, 3) on the head without expression.
    expression
        (10, 478, 3) by the model's own expressions, each of one standard deviation.
    keys
        (52, 478, 3) by the keys, in the order of `EXPRESSION_NAMES`.
    reliable
        (478,) bool, which points have a place.
    """

    neutral: Array
    expression: Array
    keys: Array
    reliable: NDArray[np.bool_]

    @classmethod
    def of_person(
        cls, model: MorphableModel, expressions: ExpressionBasis, alpha_shape: Array
    ) -> KeyedPoints:
        """Find them on the head of a shape, (40,) as in the 62 parameters.

        The points of lids and lips are on the very rims that open and close.
        """
        table = load_table().on_rims(expressions.eyes, expressions.mouth, model.mean)
        head = model.vertices(np.asarray(alpha_shape, np.float32))
        keys = expressions.of_person(head)
        per_sigma = model.basis[N_SHAPE:] * model.expression_sigma[:, None, None]
        return cls(
            _with_irises(table.at(head)),
            _with_irises(table.at(per_sigma)),
            _with_irises(keys.at(table.corners, table.weights)),
            np.concatenate([table.reliable, np.zeros(N_IRISES, bool)]),
        )

    def solve(self, moved: Array, lower: Array, upper: Array) -> NDArray[np.float64]:
        """Find the keys that move the points as they have moved.

        Parameters
        ----------
        moved
            (F, 478, 3) millimetres from the neutral head, without pose. What is not reliable is
            not looked at, but must be finite.
        lower, upper
            (52,) or (F, 52) bounds of the keys.

        Returns
        -------
        (F, 52) float64.
        """
        map_to_keys, gram = self._normal
        linear = np.asarray(moved, np.float64).reshape(len(moved), -1) @ map_to_keys
        unit = float(np.trace(gram)) / len(gram)
        return bounded_least_squares(
            gram + RIDGE * unit * np.eye(len(gram)), linear, lower, upper, SPARSITY * unit
        )

    @cached_property
    def _normal(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(1434, 52) and (52, 52): the normal equations of what counts."""
        rows = evidence(self.reliable)
        design = rows @ self.keys.reshape(len(self.keys), -1).T.astype(np.float64)
        return rows.T @ design, design.T @ design


def _with_irises(points: Array) -> NDArray[np.float64]:
    """(..., 478, 3) of (..., 468, 3): the irises, which the model has not, are at 0."""
    room = [(0, 0)] * (points.ndim - 2) + [(0, N_IRISES), (0, 0)]
    return np.pad(np.asarray(points, np.float64), room)
