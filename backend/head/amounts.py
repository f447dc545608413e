"""A face's expression in the 52 keys: how much of each makes a given face of a neutral one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from backend.head.parts import Deltas

Float = NDArray[np.floating]

# Every so many vertices are looked at; keys are smooth.
STEP = 9
# Squared millimetres per vertex that a whole key has to explain: else small errors of the shape
# would set every key a little.
COST = 2e-3
# Less of a key is not seen.
LEAST = 0.02


def fit_amounts(
    neutral: Float, expressed: Float, deltas: Deltas, hidden: NDArray[np.integer]
) -> Mapping[str, float]:
    """Find the amounts by least squares within 0 to 1.

    Parameters
    ----------
    neutral, expressed
        (V, 3) millimetres.
    deltas
        By key: (V, 3).
    hidden
        Vertices that don't count: those in place of the eyes.

    Returns
    -------
    By key; those of which there is nothing are absent.
    """
    names = [name for name, delta in deltas.items() if delta.any()]
    counts = np.setdiff1d(np.arange(0, len(neutral), STEP), hidden)
    matrix = np.stack([deltas[name][counts].ravel() for name in names], axis=1).astype(np.float64)
    moved = (expressed - neutral)[counts].ravel().astype(np.float64)
    squared = matrix.T @ matrix + COST * len(counts) * np.eye(len(names))
    factor = np.linalg.cholesky(squared)
    found = lsq_linear(factor.T, np.linalg.solve(factor, matrix.T @ moved), (0, 1)).x
    return {name: float(a) for name, a in zip(names, found, strict=True) if a > LEAST}
