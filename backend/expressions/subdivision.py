"""Catmull-Clark's subdivision as a matrix: fine vertices are weighted means of coarse ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Int = NDArray[np.integer]


def subdivide(quads: Int, n_vertices: int) -> tuple[sparse.csr_matrix, Int]:
    """Subdivide a mesh of quads once.

    Parameters
    ----------
    quads
        (Q, 4) vertex indices; every vertex belongs to a quad, and to two borders at most.
    n_vertices
        Number of vertices V.

    Returns
    -------
    (V + E + Q, V) weights, and (4 Q, 4) quads of the finer mesh. Its first V vertices are the
    coarse ones, moved; then one for each edge, then one for each quad. Borders become B-splines
    of their own vertices alone.
    """
    n_quads = len(quads)
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    edges, edge_of, count = np.unique(
        np.sort(sides, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    edge_of = edge_of.reshape(n_quads, 4)
    n_edges = len(edges)
    faces = _matrix(np.repeat(np.arange(n_quads), 4), quads.ravel(), 1 / 4, (n_quads, n_vertices))
    middles = _matrix(np.repeat(np.arange(n_edges), 2), edges.ravel(), 1 / 2, (n_edges, n_vertices))
    beside = _matrix(edge_of.ravel(), np.repeat(np.arange(n_quads), 4), 1 / 2, (n_edges, n_quads))
    border = count == 1
    inner = sparse.diags((~border).astype(float))
    edge_points = inner @ (middles + beside @ faces) / 2 + sparse.diags(border * 1.0) @ middles

    at_vertex = _matrix(edges.ravel(), np.repeat(np.arange(n_edges), 2), 1.0, (n_vertices, n_edges))
    in_face = _matrix(quads.ravel(), np.repeat(np.arange(n_quads), 4), 1.0, (n_vertices, n_quads))
    valence = np.maximum(np.asarray(at_vertex.sum(axis=1)).ravel(), 1)
    on_border = np.asarray(at_vertex @ border.astype(float)).ravel() > 0
    identity = sparse.identity(n_vertices)
    n_faces = np.maximum(np.asarray(in_face.sum(axis=1)).ravel(), 1)
    smooth = (
        sparse.diags(1 / (valence * n_faces)) @ in_face @ faces
        + sparse.diags(2 / valence**2) @ at_vertex @ middles
        + sparse.diags((valence - 3) / valence) @ identity
    )
    rim = at_vertex @ sparse.diags(border / 4.0) @ middles + identity / 2
    vertex_points = (
        sparse.diags((~on_border).astype(float)) @ smooth + sparse.diags(on_border * 1.0) @ rim
    )
    weights = sparse.csr_matrix(sparse.vstack([vertex_points, edge_points, faces]))

    edge_vertex, face_vertex = n_vertices + edge_of, n_vertices + n_edges + np.arange(n_quads)
    fine = [
        np.stack([quads[:, k], edge_vertex[:, k], face_vertex, edge_vertex[:, k - 1]], axis=1)
        for k in range(4)
    ]
    return weights, np.concatenate(fine).astype(quads.dtype)


def _matrix(rows: Int, columns: Int, value: float, shape: tuple[int, int]) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.full(len(rows), value), (rows, columns)), shape)


def split(quads: Int) -> NDArray[np.int32]:
    """(2 Q, 3) triangles of (Q, 4) quads."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
