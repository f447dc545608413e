"""How much of each key a face shows: least squares between bounds, for many faces at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

# Rounds over all keys at most, and the change of any key below which it is over.
ROUNDS, SETTLED = 200, 5e-4
# Faces that are solved for together: what they take stays in the processor's cache.
CHUNK = 512


def bounded_least_squares(
    gram: Array, linear: Array, lower: Array, upper: Array, sparsity: Array | float = 0.0
) -> NDArray[np.float64]:
    """Minimise ``k' gram k / 2 - linear' k + sparsity * sum(|k|)`` with ``lower <= k <= upper``.

    Parameters
    ----------
    gram
        (K, K) symmetric, positive definite: what the keys share, the same for all faces.
    linear
        (F, K) of each face.
    lower, upper
        (K,) or (F, K) bounds. A key whose bounds are equal has that value.
    sparsity
        What a key costs, the same for all or (K,); 0 and what is below stay 0 by it.

    Returns
    -------
    (F, K) float64.

    Notes
    -----
    Cyclic coordinate descent: one key after the other takes its best value, for all faces of a
    chunk at once. It needs no step size and ends at the exact bounds.
    """
    faces, keys = linear.shape
    low, high = (np.broadcast_to(np.asarray(b, np.float64), (faces, keys)) for b in (lower, upper))
    cost = np.broadcast_to(np.asarray(sparsity, np.float64), (keys,))
    found = np.zeros((faces, keys))
    for start in range(0, faces, CHUNK):
        rows = slice(start, start + CHUNK)
        found[rows] = _descend(gram, linear[rows], low[rows], high[rows], cost)
    return found


def _descend(
    gram: Array, linear: Array, low: Array, high: Array, cost: Array
) -> NDArray[np.float64]:
    # A key a row: then what one key needs lies together.
    gram = np.asarray(gram, np.float64)
    wanted = np.ascontiguousarray(np.asarray(linear, np.float64).T)
    low, high = np.ascontiguousarray(low.T), np.ascontiguousarray(high.T)
    found = np.clip(0.0, low, high)
    moving = np.flatnonzero((high > low).any(axis=1)).tolist()
    for _ in range(ROUNDS):
        change = 0.0
        for key in moving:
            own = gram[key, key]
            best = (wanted[key] - gram[key] @ found) / own + found[key]
            shrunk = np.sign(best) * np.maximum(np.abs(best) - cost[key] / own, 0)
            value = np.clip(shrunk, low[key], high[key])
            change = max(change, float(np.abs(value - found[key]).max(initial=0.0)))
            found[key] = value
        if change < SETTLED:
            break
    return found.T
