"""Deformation transfer (Sumner and Popović 2004): expressions of one skin carried to another.

How a key turns and stretches the source around each of its points, it turns and stretches the
target around the corresponding one. The target's deltas are those whose gradients come nearest to
that, in one sparse least squares for all keys. Where the gradients leave the deltas free, they are
as large as the source's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from backend.expressions.nearest import Pairs

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Millimetres over which gradients decide; over more, the source's deltas do.
LENGTH = 12.0


def transfer(
    source: Float, triangles: Int, deltas: Iterator[Float], pairs: Pairs, target: Float, faces: Int
) -> Iterator[Float]:
    """Carry deltas from a source to a target.

    Parameters
    ----------
    source, triangles
        (S, 3) and (T, 3), the source at rest.
    deltas
        (S, 3) for each key.
    pairs
        For each vertex of the target its place on the source.
    target, faces
        (V, 3) and (F, 3), the target at rest. Vertices without a face get no deltas.

    Yields
    ------
    (V, 3) for each key.
    """
    import igl

    used, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    points = target[used].astype(np.float64)
    gradient = igl.grad(points, faces.astype(np.int64))
    area = np.tile(np.asarray(igl.doublearea(points, faces.astype(np.int64))) / 2, 3)
    weighed = (gradient.T @ sparse.diags(area)).tocsr()
    mass = igl.massmatrix(points, faces.astype(np.int64), igl.MASSMATRIX_TYPE_BARYCENTRIC)
    held = mass / LENGTH**2
    solver = splu(
        (weighed @ gradient + held).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    rows = np.repeat(np.arange(len(used)), 3)
    carry = sparse.csr_matrix(
        (pairs.weights[used].ravel(), (rows, pairs.corners[used].ravel())),
        (len(used), len(source)),
    )
    corners = sparse.csr_matrix(
        (np.full(faces.size, 1 / 3), (np.repeat(np.arange(len(faces)), 3), faces.ravel())),
        (len(faces), len(used)),
    )
    to_faces = corners @ carry @ _to_vertices(source, triangles)
    rest = _frames(source, triangles)
    inverse = np.linalg.inv(rest)
    for delta in deltas:
        turned = _frames(source + delta, triangles) @ inverse - np.eye(3)
        wanted = (to_faces @ turned.reshape(-1, 9)).reshape(-1, 3, 3)
        # The gradient of coordinate c is row c; igl stacks x, y, z of the gradients.
        right = weighed @ wanted.transpose(2, 0, 1).reshape(-1, 3) + held @ (carry @ delta)
        moved = np.zeros(target.shape, np.float64)
        moved[used] = solver.solve(right)
        yield moved


def _frames(points: Float, triangles: Int) -> Float:
    """(T, 3, 3), columns: two edges, and a normal as long as their mean."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    across /= np.sqrt(np.linalg.norm(across, axis=1, keepdims=True))
    return np.stack([b - a, c - a, across], axis=-1)


def _to_vertices(points: Float, triangles: Int) -> sparse.csr_matrix:
    """(S, T) means over the triangles around each vertex, by area."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    columns = np.repeat(np.arange(len(triangles)), 3)
    at = sparse.csr_matrix(
        (np.repeat(area, 3), (triangles.ravel(), columns)), (len(points), len(triangles))
    )
    return sparse.diags(1 / np.maximum(np.asarray(at.sum(axis=1)).ravel(), 1e-12)) @ at
