"""Rims of lids and lips on the model: where skin ends and eye or mouth begins.

The model closes an eye by one surface from lid to lid. The lids' rims are the valleys in which
this surface meets the lids: deep and narrow, so that the cheapest way around an eye follows them.
The lips' rims are the border of the slit between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra

from backend.geometry.normals import vertex_normals
from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# iBUG-68: the person's left eye, in the image on the right.
LEFT_EYE = slice(42, 48)
# Millimetres around the middle of an eye in which its rim lies.
EYE_REACH = 24.0
# How much cheaper than its length a way is for each 1/mm of concave mean curvature.
VALLEY = 6.0


@dataclass(frozen=True)
class Rim:
    """Two rims that meet when an eye or the mouth closes.

    Attributes
    ----------
    upper, lower
        Vertices from one corner to the other. The first and the last are the corners and belong
        to both. Eyes go from the inner corner to the outer, the mouth from the person's right to
        the left.
    inside
        Vertices of the surface between the rims, which only eyes have.
    """

    upper: Int
    lower: Int
    inside: Int

    @property
    def loop(self) -> Int:
        """All vertices once: along the upper rim and back along the lower."""
        return np.concatenate([self.upper, self.lower[-2:0:-1]])

    def mirrored(self, partners: Int, *, reverse: bool = False) -> Rim:
        """The same on the other side of the face."""
        step = -1 if reverse else 1
        return Rim(
            partners[self.upper][::step], partners[self.lower][::step], partners[self.inside]
        )


@dataclass(frozen=True)
class Rims:
    """Of the whole face; left is the person's."""

    left_eye: Rim
    right_eye: Rim
    mouth: Rim

    @property
    def eyes(self) -> tuple[Rim, Rim]:
        """Left, right."""
        return self.left_eye, self.right_eye


def find_rims(model: MorphableModel) -> Rims:
    """Rims of the mean head, the right eye's mirrored from the left's."""
    eye = _eye_rim(model)
    return Rims(eye, eye.mirrored(model.mirror_indices), _mouth_rim(model))


def _mouth_rim(model: MorphableModel) -> Rim:
    import igl

    loops = igl.boundary_loop_all(model.triangles.astype(np.int64))
    loop = np.asarray(min(loops, key=len))
    loop = np.roll(loop, -int(model.mean[loop, 0].argmin()))
    other = int(model.mean[loop, 0].argmax())
    sides = loop[: other + 1], np.append(loop[0], loop[: other - 1 : -1])
    upper, lower = sorted(sides, key=lambda side: -model.mean[side, 1].mean())
    return Rim(upper, lower, np.empty(0, loop.dtype))


def _eye_rim(model: MorphableModel) -> Rim:
    mean = model.mean.astype(np.float64)
    centre = model.landmark_mean[LEFT_EYE].mean(axis=0)
    near = np.linalg.norm(mean - centre, axis=1) < EYE_REACH
    concave = np.maximum(-mean_curvature(mean, model.triangles), 0)
    edges = np.unique(np.sort(_edges(model.triangles), axis=1), axis=0)
    edges = edges[near[edges].all(axis=1)]
    length = np.linalg.norm(mean[edges[:, 0]] - mean[edges[:, 1]], axis=1)
    cost = length * np.exp(-VALLEY * np.minimum(concave[edges].mean(axis=1), 0.8))
    column = near & (np.abs(mean[:, 0] - centre[0]) < 1) & (np.abs(mean[:, 1] - centre[1]) < 9)
    top, bottom = (
        _extreme(np.flatnonzero(column & (sign * (mean[:, 1] - centre[1]) > 0)), concave)
        for sign in (1, -1)
    )
    side = np.sign(mean[edges, 0] - centre[0]).sum(axis=1)
    half = {}
    for sign in (-1, 1):
        use = side * sign >= 0
        graph = sparse.coo_matrix((cost[use], edges[use].T), (len(mean), len(mean))).tocsr()
        _, before = dijkstra(graph, directed=False, indices=top, return_predecessors=True)
        half[sign] = _walk(before, bottom)
    # From the bottom on the inner side up to the top, then down on the outer side.
    loop = np.concatenate([half[-1][:-1], half[1][::-1][:-1]])
    x = mean[loop, 0]
    loop = np.roll(loop, -int(x.argmin()))
    outer = int(mean[loop, 0].argmax())
    upper, lower = loop[: outer + 1], np.append(loop[0], loop[: outer - 1 : -1])
    return Rim(upper, lower, _inside(model.triangles, loop, mean, centre))


def _extreme(vertices: Int, value: Float) -> int:
    return int(vertices[value[vertices].argmax()])


def _walk(before: Int, target: int) -> Int:
    """Way to `target` from where Dijkstra's search began, backwards."""
    way = [target]
    while before[way[-1]] >= 0:
        way.append(int(before[way[-1]]))
    return np.array(way)


def _inside(triangles: Int, loop: Int, mean: Float, centre: Float) -> Int:
    """Vertices that a loop parts from the rest, on the side of a point."""
    edges = _edges(triangles)
    free = ~np.isin(edges, loop).any(axis=1)
    graph = sparse.coo_matrix((np.ones(free.sum(), bool), edges[free].T), (len(mean), len(mean)))
    _, label = connected_components(graph, directed=False)
    distance = np.linalg.norm(mean - centre, axis=1)
    distance[loop] = np.inf
    return np.flatnonzero(label == label[distance.argmin()])


def mean_curvature(points: Float, triangles: Int) -> Float:
    """(V,) in 1/mm, positive where the surface is convex."""
    import igl

    faces = triangles.astype(np.int64)
    laplacian = igl.cotmatrix(points, faces)
    area = igl.massmatrix(points, faces, igl.MASSMATRIX_TYPE_VORONOI).diagonal()
    normals = vertex_normals(points, triangles)
    return -(laplacian @ points * normals).sum(axis=1) / (2 * area)


def _edges(triangles: Int) -> Int:
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
