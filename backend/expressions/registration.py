"""MakeHuman's skin laid onto the model's mean head.

The coarse mesh moves, the fine one has to lie on the head: least squares of the distances along
the head's normals, of MediaPipe's points, of the rims of lids and lips, and of how much a vertex
moves otherwise than its neighbours. That last weight falls from round to round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import cg

from backend.expressions.mask import Mask
from backend.expressions.nearest import Skin, nearest_points
from backend.expressions.rims import Rims
from backend.geometry.normals import vertex_normals

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Weights of the rounds: stiffness (bending, stretching), MediaPipe's points.
ROUNDS = (
    (300.0, 30.0, 4.0), (100.0, 10.0, 2.0), (30.0, 3.0, 1.0), (10.0, 1.0, 0.5),
    (4.0, 0.4, 0.25), (2.0, 0.2, 0.1), (1.0, 0.1, 0.1), (1.0, 0.1, 0.1),
)  # fmt: skip
RIM_WEIGHT = 8.0
# What slides along the surface is also held where it is, a little.
HOLD = 0.02
# Millimetres along the skin from a rim in which lids and lips are told apart.
LID_REACH, LIP_REACH = 7.0, 12.0
# Millimetres beyond which a nearest point is none, in the first and in the last round.
FAR = (25.0, 5.0)
# MediaPipe's points whose views differ by more than this many millimetres don't count.
MAX_SPREAD = 3.0


@dataclass(frozen=True)
class Similarity:
    """``scale * rotation @ point + translation``."""

    scale: float
    rotation: Float
    translation: Float


def similarity(source: Float, target: Float) -> Similarity:
    """The one that brings (N, 3) points nearest to others (Umeyama 1991)."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, s, vt = np.linalg.svd(a.T @ b)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = (u @ flip @ vt).T
    scale = float((s * np.diag(flip)).sum() / (a**2).sum())
    return Similarity(scale, rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0))


def register(
    mask: Mask, start: Float, head: Skin, rims: Rims, points: Float, targets: Float
) -> Float:
    """Lay the mask onto a head.

    Parameters
    ----------
    start
        (C, 3) coarse vertices, brought near by a similarity.
    head
        The head, without what lies between its lids.
    rims
        Its rims.
    points, targets
        (P, 3) MediaPipe's points on the mask as it starts, and on the head.

    Returns
    -------
    (C, 3) coarse vertices of the mask on the head.
    """
    place = _places(mask, start, points)
    rim_rows, rim_targets = _rim_pairs(mask, rims, head.vertices)
    bending, stretching = _stiffness(mask)
    normals = vertex_normals(head.vertices, head.triangles)
    # Half of the mask's resolution is enough to lead its coarse vertices.
    leading = mask.leading
    labels = rim_labels(mask.refine(start), mask.triangles, mask.rims)[: len(leading)]
    moved = start.copy()
    for index, (bend, stretch, pull) in enumerate(ROUNDS):
        far = FAR[0] + (FAR[1] - FAR[0]) * index / (len(ROUNDS) - 1)
        skin = Skin(leading.weights @ moved, leading.triangles, labels)
        pairs = nearest_points(skin, head)
        use = pairs.distance < far
        across = np.einsum("vk,vkx->vx", pairs.weights, normals[pairs.corners])
        goal = np.einsum("vk,vkx->vx", pairs.weights, head.vertices[pairs.corners])
        rows = leading.weights[use]
        moved = _solve(
            [
                _slide(rows, start, goal[use], across[use]),
                _pull(rows, start, goal[use], HOLD),
                _pull(place, start, targets, pull),
                _pull(mask.weights[rim_rows], start, rim_targets, RIM_WEIGHT),
            ],
            start,
            bend * bending + stretch * stretching,
        )
    return moved


@dataclass(frozen=True)
class _Term:
    """``weight * |matrix @ x - rest|^2`` of displacements x (3 C)."""

    matrix: sparse.csr_matrix
    rest: Float
    weight: float


def _pull(rows: sparse.csr_matrix, start: Float, target: Float, weight: float) -> _Term:
    """Points given by (R, C) weights are drawn to (R, 3) others."""
    matrix = sparse.csr_matrix(sparse.kron(rows, sparse.identity(3)))
    return _Term(matrix, (target - rows @ start).ravel(), weight)


def _slide(rows: sparse.csr_matrix, start: Float, target: Float, normals: Float) -> _Term:
    """The same along a normal each."""
    entries = rows.tocoo()
    data = entries.data[:, None] * normals[entries.row]
    columns = 3 * entries.col[:, None] + np.arange(3)
    matrix = sparse.csr_matrix(
        (data.ravel(), (np.repeat(entries.row, 3), columns.ravel())),
        (len(target), 3 * len(start)),
    )
    return _Term(matrix, ((target - rows @ start) * normals).sum(axis=1), 1.0)


def _solve(terms: list[_Term], start: Float, stiffness: sparse.spmatrix) -> Float:
    """(C, 3) vertices that cost least; `stiffness` (C, C) weighs how they leave `start`."""
    system = sparse.csr_matrix(sparse.kron(stiffness, sparse.identity(3)))
    right = np.zeros(3 * len(start))
    for term in terms:
        system = system + term.weight * (term.matrix.T @ term.matrix)
        right += term.weight * (term.matrix.T @ term.rest)
    preconditioner = sparse.diags(1 / system.diagonal())
    solution, _ = cg(system, right, rtol=1e-4, maxiter=500, M=preconditioner)
    return start + solution.reshape(-1, 3)


def _stiffness(mask: Mask) -> tuple[sparse.spmatrix, sparse.spmatrix]:
    """Bending and stretching of the coarse mesh, as (C, C) quadratic forms."""
    quads = mask.coarse_quads
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    edges = np.unique(np.sort(sides, axis=1), axis=0)
    n, m = len(mask.body), len(edges)
    differences = sparse.csr_matrix(
        (np.tile([1.0, -1.0], m), (np.repeat(np.arange(m), 2), edges.ravel())), (m, n)
    )
    stretching = differences.T @ differences
    laplacian = sparse.diags(1 / stretching.diagonal()) @ stretching
    return laplacian.T @ laplacian, stretching


def _places(mask: Mask, start: Float, points: Float) -> sparse.csr_matrix:
    """(P, C) weights that give points on the fine mask from coarse vertices."""
    import igl

    fine = mask.refine(start)
    _, face, nearest = igl.point_mesh_squared_distance(
        points, fine, mask.triangles.astype(np.int64)
    )
    corners = mask.triangles[np.asarray(face)]
    weights = barycentric(np.asarray(nearest), *(fine[corners[:, k]] for k in range(3)))
    rows = np.repeat(np.arange(len(points)), 3)
    pick = sparse.csr_matrix((weights.ravel(), (rows, corners.ravel())), (len(points), len(fine)))
    return sparse.csr_matrix(pick @ mask.weights)


def barycentric(points: Float, a: Float, b: Float, c: Float) -> Float:
    """(N, 3) weights of triangles' corners for points in their planes."""
    normal = np.cross(b - a, c - a)
    area = (normal**2).sum(axis=-1)
    of_b = (np.cross(points - a, c - a) * normal).sum(axis=-1) / area
    of_c = (np.cross(b - a, points - a) * normal).sum(axis=-1) / area
    return np.stack([1 - of_b - of_c, of_b, of_c], axis=-1)


def _rim_pairs(mask: Mask, rims: Rims, vertices: Float) -> tuple[Int, Float]:
    """Fine vertices on the mask's rims, and where on the head's they belong: at equal shares."""
    fine = mask.refine(mask.shape)
    rows, targets = [], []
    for ours, theirs in (
        (mask.rims.left_eye, rims.left_eye),
        (mask.rims.right_eye, rims.right_eye),
        (mask.rims.mouth, rims.mouth),
    ):
        for way in ("upper", "lower"):
            line, goal = getattr(ours, way), vertices[getattr(theirs, way)]
            share = shares(fine[line])
            rows.append(line)
            targets.append(np.stack([np.interp(share, shares(goal), x) for x in goal.T], axis=1))
    return np.concatenate(rows), np.concatenate(targets)


def shares(line: Float) -> Float:
    """(N,) how far along a line its points are, by length, 0 to 1."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    return length / length[-1]


def rim_labels(vertices: Float, triangles: Int, rims: Rims) -> Int:
    """(V,) near the k-th opening k above it and -k below it, elsewhere 0."""
    graph = _skin_graph(vertices, triangles)
    labels = np.zeros(len(vertices), np.int8)
    nearest = np.full(len(vertices), np.inf)
    for number, (rim, reach) in enumerate(
        ((rims.left_eye, LID_REACH), (rims.right_eye, LID_REACH), (rims.mouth, LIP_REACH)), 1
    ):
        for sign, line in ((1, rim.upper), (-1, rim.lower)):
            distance = dijkstra(
                graph, directed=False, indices=line[2:-2], min_only=True, limit=reach
            )
            closer = distance < nearest
            labels[closer] = sign * number
            nearest[closer] = distance[closer]
    return labels


def along_skin(vertices: Float, triangles: Int, sources: Int, reach: float) -> Float:
    """(V,) length along edges to the nearest of some vertices, infinite beyond `reach`."""
    graph = _skin_graph(vertices, triangles)
    return dijkstra(graph, directed=False, indices=sources, min_only=True, limit=reach)


def _skin_graph(vertices: Float, triangles: Int) -> sparse.csr_matrix:
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    return sparse.csr_matrix((length, edges.T), (len(vertices),) * 2)
