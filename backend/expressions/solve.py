"""How much of each key a face shows: least squares between bounds, for many faces at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Bools = NDArray[np.bool_]

# Rounds of the descent before and after, and guesses of the keys that lie on a bound, at most.
FIRST, GUESSES, LAST = 6, 12, 40
# Change of any key in a round below which it is over.
SETTLED = 5e-4
# Faces that are solved for together: 20 kB each.
CHUNK = 256


def bounded_least_squares(
    gram: Array, linear: Array, lower: Array, upper: Array, sparsity: Array | float = 0.0
) -> NDArray[np.float64]:
    """Minimise ``k' gram k / 2 - linear' k + sparsity' k`` with ``lower <= k <= upper``.

    Parameters
    ----------
    gram
        (K, K) symmetric, positive definite: what the keys share, the same for all faces.
    linear
        (F, K) of each face.
    lower, upper
        (K,) or (F, K) bounds. A key whose bounds are equal has that value.
    sparsity
        What a key that does not go below 0 costs, the same for all or (K,): small ones stay 0.

    Returns
    -------
    (F, K) float64.

    Notes
    -----
    A few rounds of cyclic coordinate descent tell most of the keys that lie on a bound. Then those
    on a bound are guessed and the others solved for, until the guess is right (the primal-dual
    active set method of Hintermueller, Ito and Kunisch 2002). Descent ends at the minimum from
    anywhere, so it has the last word: after a right guess it has nothing to do.
    """
    faces, keys = linear.shape
    wanted = np.asarray(linear, np.float64) - sparsity
    low, high = (np.broadcast_to(np.asarray(b, np.float64), (faces, keys)) for b in (lower, upper))
    gram = np.asarray(gram, np.float64)
    found = np.clip(np.zeros((faces, keys)), low, high)
    for start in range(0, faces, CHUNK):
        rows = slice(start, start + CHUNK)
        found[rows] = _solve(gram, wanted[rows], found[rows], low[rows], high[rows])
    return found


def _solve(gram: Array, wanted: Array, start: Array, low: Array, high: Array) -> Array:
    free = (high > low).any(axis=0)
    if not free.any():
        return start
    # What keys without a choice do is known.
    wanted = wanted[:, free] - start[:, ~free] @ gram[~free][:, free]
    gram = np.ascontiguousarray(gram[free][:, free])
    low, high = low[:, free], high[:, free]
    found = _descend(gram, wanted, start[:, free], low, high, FIRST)
    found = _guess(gram, wanted, found, low, high)
    whole = start.copy()
    whole[:, free] = _descend(gram, wanted, found, low, high, LAST)
    return whole


def _descend(
    gram: Array, wanted: Array, start: Array, low: Array, high: Array, rounds: int
) -> Array:
    """(F, K) after rounds in which one key after the other takes its best value."""
    # A key a row: then what one key needs lies together.
    found, wanted, low, high = (np.ascontiguousarray(a.T) for a in (start, wanted, low, high))
    for _ in range(rounds):
        before = found.copy()
        for key, row in enumerate(gram):
            best = (wanted[key] - row @ found) / row[key] + found[key]
            found[key] = np.minimum(np.maximum(best, low[key]), high[key])
        if np.abs(found - before).max() < SETTLED:
            break
    return found.T


def _guess(gram: Array, wanted: Array, start: Array, low: Array, high: Array) -> Array:
    """(F, K) where a right guess was found the minimum, elsewhere the start."""
    found = start.copy()
    open_rows = np.arange(len(start))
    below, above = start <= low, start >= high
    scale = np.diag(gram)
    for _ in range(GUESSES):
        low_, high_ = low[open_rows], high[open_rows]
        tried = _between(gram, wanted[open_rows], np.where(below, low_, high_), below | above)
        push = (wanted[open_rows] - tried @ gram) / scale
        now_below = tried + np.where(below, push, 0) < low_
        now_above = tried + np.where(above, push, 0) > high_
        # A key on a bound stays there while it is pushed against it.
        now_below |= below & (push <= 0) & (high_ > low_)
        now_above |= above & (push >= 0) & (high_ > low_)
        now_above &= ~now_below
        right = ((now_below == below) & (now_above == above)).all(axis=1)
        found[open_rows[right]] = np.clip(tried[right], low_[right], high_[right])
        open_rows, below, above = open_rows[~right], now_below[~right], now_above[~right]
        if not len(open_rows):
            break
    return found


def _between(gram: Array, wanted: Array, bound: Array, held: Bools) -> Array:
    """(F, K) the minimum when held keys are at their bounds and the others know none."""
    fixed = np.where(held, bound, 0.0)
    right = np.where(held, fixed, wanted - fixed @ gram)
    free = ~held
    system = gram * (free[:, :, None] & free[:, None, :])
    np.einsum("fkk->fk", system)[...] += held
    return np.linalg.solve(system, right[..., None])[..., 0]
