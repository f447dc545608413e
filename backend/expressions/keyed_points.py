"""MediaPipe's 478 points on the head, and how everything that moves the head moves them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backend.expressions.evidence import evidence
from backend.expressions.solve import bounded_least_squares

Array = NDArray[np.floating]

# What is added to each key's own square, as a share of the mean: it decides between keys that move
# the points alike, and takes nothing away from those that do not.
RIDGE = 0.001
# What a key costs, in the same unit: what noise alone would call for stays 0.
SPARSITY = 0.0005


@dataclass(frozen=True)
class KeyedPoints:
    """MediaPipe's points on the model, in millimetres of the model frame.

    Attributes
    ----------
    mean
        (478, 3) on the model's mean head.
    shape
        (40, 478, 3) by the coefficients of the shape.
    expression
        (10, 478, 3) by the model's own expressions, each of one standard deviation.
    keys
        (52, 478, 3) by the keys, in the order of `EXPRESSION_NAMES`.
    reliable
        (478,) bool, which points have a place.
    """

    mean: Array
    shape: Array
    expression: Array
    keys: Array
    reliable: NDArray[np.bool_]

    def neutral(self, alpha_shape: Array) -> NDArray[np.float64]:
        """(478, 3) on somebody's head without expression."""
        return self.mean + np.tensordot(np.asarray(alpha_shape, np.float64), self.shape, 1)

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
