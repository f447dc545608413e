"""MakeHuman's head as one skin with holes for eyes and mouth, like the model's without its eyes.

What lies behind the rims of lids and lips - sockets and the mouth's inside - is left out, so that
the surface nearest to a vertex of the model is skin.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from backend.expressions.makehuman import MakeHuman
from backend.expressions.rims import Rim, Rims
from backend.expressions.subdivision import split, subdivide

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Edges of the base mesh on the left lids' inner rim and on the lips' inner rim.
LID, LIP = (7747, 7748), (520, 521)
NOSE = 302
# Millimetres of the base mesh: the head ends below this, and beside this there are shoulders.
BOTTOM, ASIDE = 520.0, 130.0
LEVELS = 2
MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Level:
    """A mesh of a subdivision: (V, C) weights of the coarse vertices, (Q, 4) quads."""

    weights: sparse.csr_matrix
    quads: Int

    def __len__(self) -> int:
        return int(np.asarray(self.weights.indptr).size) - 1

    @property
    def triangles(self) -> NDArray[np.int32]:
        """(2 Q, 3)."""
        return split(self.quads)


@dataclass(frozen=True)
class Mask:
    """The skin, coarse and fine.

    Attributes
    ----------
    body
        (C,) vertices of the base mesh, which the coarse ones are.
    shape
        (C, 3) the coarse vertices' places in the base mesh.
    coarse_quads
        (Q, 4) of the coarse vertices.
    weights
        (V, C) fine vertices from coarse ones.
    triangles
        (T, 3) of the fine vertices.
    leading
        The mesh one level coarser. Its vertices are the first of the fine ones.
    rims
        Fine vertices on the rims, which follow the same order as the model's.
    """

    body: Int
    shape: Float
    coarse_quads: Int
    weights: sparse.csr_matrix
    triangles: Int
    leading: Level
    rims: Rims

    def fine(self, base: Float) -> Float:
        """(..., V, 3) from values (..., 19158, 3) of the base mesh."""
        return self.refine(base[..., self.body, :])

    def refine(self, coarse: Float) -> Float:
        """(..., V, 3) from (..., C, 3)."""
        flat = np.moveaxis(coarse, -2, 0)
        fine = self.weights @ flat.reshape(len(flat), -1)
        return np.moveaxis(fine.reshape(-1, *flat.shape[1:]), 0, -2)


def cut_mask(source: MakeHuman) -> Mask:
    """Cut the skin of the head out of the base mesh, and refine it."""
    vertices, quads = source.vertices, source.in_group("body")
    head = (vertices[:, 1] > BOTTOM) & (np.abs(vertices[:, 0]) < ASIDE)
    quads = quads[head[quads].all(axis=1)]
    left, lips = _edge_loop(quads, *LID), _edge_loop(quads, *LIP)
    right = _nearest(vertices, vertices[left] * MIRROR)
    skin = _beyond(quads, [left, right, lips])
    body, quads = np.unique(quads[skin], return_inverse=True)
    quads = quads.reshape(-1, 4)
    loops = [np.searchsorted(body, loop) for loop in (left, right, lips)]

    levels = [Level(sparse.csr_matrix(sparse.identity(len(body))), quads)]
    for _ in range(LEVELS):
        coarser = levels[-1]
        more, finer = subdivide(coarser.quads, len(coarser))
        levels.append(Level(sparse.csr_matrix(more @ coarser.weights), finer))
    weights, triangles = levels[-1].weights, levels[-1].triangles
    fine = weights @ vertices[body]
    eye, other, mouth = (_rim(_fine_loop(triangles, fine, fine_of), fine) for fine_of in loops)
    other = Rim(other.upper[::-1], other.lower[::-1], other.inside)
    return Mask(
        body, vertices[body], quads, weights, triangles, levels[-2], Rims(eye, other, mouth)
    )


def _edge_loop(quads: Int, first: int, second: int) -> Int:
    """Vertices of the closed line of edges that begins with an edge and crosses no vertex askew."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    beside: dict[frozenset[int], set[int]] = defaultdict(set)
    for quad in quads.tolist():
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            neighbours[a].add(b)
            neighbours[b].add(a)
            beside[frozenset((a, b))] |= set(quad)
    loop = [first, second]
    while True:
        before, here = loop[-2:]
        (following,) = neighbours[here] - beside[frozenset((before, here))]
        if following == first:
            return np.array(loop)
        loop.append(following)


def _nearest(vertices: Float, points: Float) -> Int:
    from scipy.spatial import KDTree

    return np.asarray(KDTree(vertices).query(points)[1])


def _beyond(quads: Int, loops: list[Int]) -> NDArray[np.bool_]:
    """(Q,) whether a quad hangs together with the nose without crossing a loop."""
    fence = {
        frozenset(edge)
        for loop in loops
        for edge in zip(loop.tolist(), np.roll(loop, -1).tolist(), strict=True)
    }
    owners: dict[frozenset[int], list[int]] = defaultdict(list)
    for index, quad in enumerate(quads.tolist()):
        for edge in zip(quad, quad[1:] + quad[:1], strict=True):
            owners[frozenset(edge)].append(index)
    pairs = np.array([p for edge, p in owners.items() if len(p) == 2 and edge not in fence])
    graph = sparse.coo_matrix((np.ones(len(pairs), bool), pairs.T), (len(quads),) * 2)
    _, label = connected_components(graph, directed=False)
    return label == label[(quads == NOSE).any(axis=1).argmax()]


def _fine_loop(triangles: Int, fine: Float, coarse: Int) -> Int:
    """The border of the fine mesh that goes through coarse vertices."""
    import igl

    borders = igl.boundary_loop_all(triangles.astype(np.int64))
    return max((np.asarray(b) for b in borders), key=lambda b: np.isin(coarse, b).sum())


def _rim(loop: Int, fine: Float) -> Rim:
    """A border as two rims, from its least x to its greatest."""
    loop = np.roll(loop, -int(fine[loop, 0].argmin()))
    end = int(fine[loop, 0].argmax())
    sides = loop[: end + 1], np.append(loop[0], loop[: end - 1 : -1])
    upper, lower = sorted(sides, key=lambda side: -fine[side, 1].mean())
    return Rim(upper, lower, np.empty(0, loop.dtype))
