"""Texture coordinates: the mean head flattened into one chart without seam, flip or overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from backend.morphable_model.mouth import mouth_cover

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Share of the unit square left free on every side, so that filters find room around the chart.
MARGIN = 0.01
MAX_REPAIR_RINGS = 8
# Millimetres beside the plane of symmetry within which a vertex may be its own mirror image.
MIDLINE = 2.0
MIRROR = np.array([-1.0, 1.0, 1.0])


def flatten(
    mean: Float, triangles: Int, mirror: Int, upright: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the texture coordinates of the mean shape.

    Parameters
    ----------
    mean
        (V, 3) millimetres.
    triangles
        (T, 3), anticlockwise seen from outside.
    mirror
        (V,) partner of each vertex on the other side of the face.
    upright
        Two vertices of the plane of symmetry, the lower one first; the line between them
        becomes vertical.

    Returns
    -------
    (V, 2) float32 in [0, 1], u right, v up. Partners lie at u and 1 - u (except beside the
    corners of the mouth), so a mirrored texture is a flipped picture.

    Notes
    -----
    Least squares conformal map (Lévy et al. 2002): angles stay, so the texture is nowhere sheared.
    The mouth is closed by auxiliary triangles; as a free border it would gape and squeeze the lips.
    """
    import igl

    symmetric = _symmetric(mean.astype(np.float64), mirror, _lone(mean, mirror))
    closed = np.concatenate([triangles, mouth_cover(mean, triangles)]).astype(np.int64)
    pins = np.array([[0.0, 0.0], [0.0, 1.0]])
    solution = igl.lscm(symmetric, closed, np.array(upright), pins)
    uv = np.asarray(solution[0] if isinstance(solution, tuple) else solution)
    uv = _symmetric(uv, mirror, _lone(mean, mirror))
    return fit_unit_square(unfold(uv, closed)).astype(np.float32)


def signed_areas(uv: Float, triangles: Int) -> Float:
    """Return (T,) twice the signed area of each triangle; negative where it is flipped."""
    a, b, c = (uv[triangles[:, k]] for k in range(3))
    u, v = b - a, c - a
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]


def unfold(uv: Float, triangles: Int) -> Float:
    """Relax the neighbourhoods of flipped triangles until none is left.

    The vertices around a flip move to the mean of their neighbours (Tutte's embedding, whose
    triangles do not flip); the neighbourhood grows ring by ring while that is not enough.

    Raises
    ------
    RuntimeError
        A flip remains: the mesh is not one that this map fits.
    """
    adjacency = _adjacency(len(uv), triangles)
    for rings in range(1, MAX_REPAIR_RINGS + 1):
        flipped = signed_areas(uv, triangles) <= 0
        if not flipped.any():
            return uv
        near = np.zeros(len(uv), bool)
        near[triangles[flipped]] = True
        for _ in range(rings):
            near |= adjacency @ near
        uv = _relax(uv, adjacency, near)
    raise RuntimeError("The texture coordinates keep flipped triangles.")


def fit_unit_square(uv: Float) -> Float:
    """Scale and shift the chart to fill the unit square inside the margin, without distortion."""
    low, high = uv.min(axis=0), uv.max(axis=0)
    scale = (1 - 2 * MARGIN) / (high - low).max()
    return (uv - (low + high) / 2) * scale + 0.5


def stretch(mean: Float, uv: Float, triangles: Int) -> Float:
    """Return (T,) larger over smaller singular value of each triangle's map; 1 is conformal."""
    a, b, c = (mean[triangles[:, k]].astype(np.float64) for k in range(3))
    e, f = b - a, c - a
    length = np.linalg.norm(e, axis=1)
    along = np.einsum("ij,ij->i", e, f) / length
    across = np.linalg.norm(np.cross(e, f), axis=1) / length
    zero = np.zeros_like(length)
    local = np.stack([length, along, zero, across], axis=1).reshape(-1, 2, 2)
    p, q, r = (uv[triangles[:, k]].astype(np.float64) for k in range(3))
    singular = np.linalg.svd(
        np.stack([q - p, r - p], axis=2) @ np.linalg.inv(local), compute_uv=False
    )
    return singular[:, 0] / singular[:, 1]


def _lone(mean: Float, mirror: Int) -> NDArray[np.bool_]:
    """Return (V,) vertices off the plane of symmetry that have no partner."""
    return (mirror == np.arange(len(mirror))) & (np.abs(mean[:, 0]) > MIDLINE)


def _symmetric(points: Float, mirror: Int, lone: NDArray[np.bool_]) -> Float:
    """Return the mean of (V, 2 or 3) points and their mirror image about x = 0; lone points
    stay.
    """
    both = (points + points[mirror] * MIRROR[: points.shape[1]]) / 2
    return np.where(lone[:, None], points, both)


def _adjacency(n_vertices: int, triangles: Int) -> sparse.csr_matrix:
    rows = np.concatenate([triangles[:, [0, 1, 2]], triangles[:, [1, 2, 0]]]).ravel()
    columns = np.concatenate([triangles[:, [1, 2, 0]], triangles[:, [0, 1, 2]]]).ravel()
    ones = np.ones(len(rows), bool)
    return sparse.csr_matrix((ones, (rows, columns)), (n_vertices, n_vertices))


def _relax(uv: Float, adjacency: sparse.csr_matrix, free: NDArray[np.bool_]) -> Float:
    """Move the free vertices to the mean of their neighbours."""
    weights = adjacency[free].astype(np.float64)
    degree = sparse.diags(np.asarray(weights.sum(axis=1)).ravel())
    system = (degree - weights[:, free]).tocsc()
    relaxed = uv.copy()
    relaxed[free] = splu(system).solve(weights[:, ~free] @ uv[~free])
    return relaxed
