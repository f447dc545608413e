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
# Squared millimetres per vertex that a key at 1 has to explain, by itself and by its square: else
# small errors of the shape would set every key a little.
COST, SQUARE_COST = 0.03, 2e-3
# Less of a key is not seen.
LEAST = 0.02
# Two of these undo one another, so a face has one of them only.
OPPOSITES = (("jawLeft", "jawRight"), ("mouthLeft", "mouthRight"))
# The model's eyes don't turn.
UNSEEN = "eyeLook"


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
    counts = np.setdiff1d(np.arange(0, len(neutral), STEP), hidden)
    seen = {
        name: delta[counts].ravel().astype(np.float64)
        for name, delta in deltas.items()
        if not name.startswith(UNSEEN) and delta[counts].any()
    }
    for one, other in OPPOSITES:
        if one in seen and other in seen:
            seen[one] = (seen[one] - seen.pop(other)) / 2
    least = [-1.0 if name in dict(OPPOSITES) else 0.0 for name in seen]
    matrix = np.stack([*seen.values()], axis=1)
    moved = (expressed - neutral)[counts].ravel().astype(np.float64)
    # An opposite's cost would have no sign, so it has only that of its square.
    cost = COST * len(counts) * (np.array(least) == 0)
    squared = matrix.T @ matrix + SQUARE_COST * len(counts) * np.eye(len(seen))
    factor = np.linalg.cholesky(squared)
    found = lsq_linear(
        factor.T, np.linalg.solve(factor, matrix.T @ moved - cost), (least, np.ones(len(seen)))
    ).x
    amounts = dict(zip(seen, found.tolist(), strict=True))
    amounts |= {other: -amounts[one] for one, other in OPPOSITES if one in amounts}
    return {name: amount for name, amount in amounts.items() if amount > LEAST}
