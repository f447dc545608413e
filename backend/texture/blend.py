"""Filling and blending of textures without visible seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.texture.filters import resize

Float = NDArray[np.float32]
# NumPy's type stubs take products of float32 arrays for float64.
Floating = NDArray[np.floating]


def extend(values: Floating, weights: Floating) -> Float:
    """Continue known values smoothly over the whole picture (pull-push).

    Parameters
    ----------
    values
        (S, S, C) float32, S a power of two.
    weights
        (S, S) float32 in [0, 1], how well each value is known.

    Returns
    -------
    (S, S, C) float32: `values` where known; elsewhere weighted means of what is known around,
    over ever larger areas the farther that is.

    Notes
    -----
    Gortler et al., The Lumigraph (1996), section 3.4.2.
    """
    size = len(weights)
    known = weights[..., None]
    if size == 1:
        return np.asarray(values, np.float32)
    total = resize(weights, size // 2, size // 2)
    mean = resize(values * known, size // 2, size // 2) / np.maximum(total, 1e-6)[..., None]
    # Four half-known values make a whole one.
    coarse = extend(mean, np.minimum(total * 4, 1))
    return np.asarray(known * values + (1 - known) * resize(coarse, size, size), np.float32)


def mix(below: Floating, above: Floating, weights: Floating, out: Float | None = None) -> Float:
    """Lay (S, S, ...) `above` over `below` with (S, S) weights; `out` may be `above`."""
    if below.ndim > weights.ndim:
        weights = weights[..., None]
    # In place, because whole textures are larger than any cache.
    mixed = np.subtract(above, below, out=out, dtype=np.float32)
    mixed *= weights
    mixed += below
    return mixed
