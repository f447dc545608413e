"""Closed lines of vertices: borders of meshes, and smooth lines along them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
Int = NDArray[np.integer]


def boundary_loop(triangles: Int, vertices: Float) -> NDArray[np.int64]:
    """Return the longest border of a mesh, anticlockwise seen from where its triangles are."""
    import igl

    loops = igl.boundary_loop_all(triangles.astype(np.int64))
    loop = np.asarray(max(loops, key=len), np.int64)
    start, end = loop[0], loop[1]
    forward = ((triangles == start) & (np.roll(triangles, -1, axis=1) == end)).any()
    return loop if forward else loop[::-1].copy()


def smoothing(loop: Float, sigma: float) -> NDArray[np.float32]:
    """(L, L) weights that smooth a closed line of (L, 3) points along its length.

    Parameters
    ----------
    sigma
        Standard deviation of the Gaussian, in the points' unit.
    """
    steps = np.linalg.norm(np.roll(loop, -1, axis=0) - loop, axis=1)
    place = np.concatenate([[0], np.cumsum(steps)])
    length, place = place[-1], place[:-1]
    apart = np.abs(place[:, None] - place)
    apart = np.minimum(apart, length - apart)
    share = (steps + np.roll(steps, 1)) / 2
    weights = np.exp(-0.5 * (apart / sigma) ** 2) * share
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
