"""Smooth normals of a triangle mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def vertex_normals(
    vertices: NDArray[np.floating], triangles: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Unit normals, the mean of the adjacent triangles' by area.

    Parameters
    ----------
    vertices
        (V, 3) in a right-handed frame. In the image frame (y down, so left-handed) the result
        points inwards: negate it.
    triangles
        (T, 3), anticlockwise as seen from outside.

    Returns
    -------
    (V, 3) float32, outward; 0 where a vertex has no triangle of any area.
    """
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    of_triangle = np.cross(b - a, c - a)
    corner = triangles.T.ravel()
    normals = np.stack(
        [np.bincount(corner, np.tile(n, 3), len(vertices)) for n in of_triangle.T], axis=1
    )
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.where(length == 0, 1, length)).astype(np.float32)
