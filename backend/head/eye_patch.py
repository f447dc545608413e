"""The eye in the face: the model closes each with a piece of a sphere from lid to lid.

In the mean shape that piece is a sphere to a tenth of a millimetre, and the lids rise from it in a
step. So it can be told apart and taken out of the face; its border is where the lids end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from backend.head.loops import boundary_loop, smoothing
from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# iBUG-68. The person's right eye is at -x.
LANDMARKS = {"right": slice(36, 42), "left": slice(42, 48)}
# Millimetres from the sphere, inwards and outwards, within which a vertex belongs to it.
INWARDS, OUTWARDS = 0.14, 0.05
# The sphere is fitted to the pupil's neighbourhood first, then to all that lies on it.
ROUNDS = 6
# Millimetres beyond the corners of the eye where the search ends.
REACH = 3.0
# Vertices nearer to the patch than this are what the eyeball may burst through.
NEAR = 9.0
# Standard deviation of the smoothing along the lids' rims, in millimetres.
SMOOTH = 1.4


@dataclass(frozen=True)
class EyePatch:
    """What the face has in place of one eye.

    Attributes
    ----------
    vertices
        (P,) int32, the piece of a sphere with its border.
    triangles
        (Q,) int32, those between its vertices: not drawn where there are eyeballs.
    loop
        (L,) int32, its border, anticlockwise seen from the front.
    near
        (M,) int32, the lids and what else is in front of an eyeball; with the border.
    rim
        (L, L) float32: from the border, whose cells are steps, to a smooth line.
    """

    vertices: Int
    triangles: Int
    loop: Int
    near: Int
    rim: Float


def find_patch(model: MorphableModel, side: str) -> EyePatch:
    """Find the patch of one eye in the mean shape.

    Parameters
    ----------
    side
        ``left`` or ``right``, the person's.
    """
    mean = model.mean.astype(np.float64)
    corners = mean[model.landmark_indices[LANDMARKS[side]]]
    middle = corners.mean(axis=0)
    distance = np.linalg.norm(mean - middle, axis=1)
    reach = np.linalg.norm(corners - middle, axis=1).max() + REACH
    vertices = np.flatnonzero(distance < np.linalg.norm(corners[1] - corners[5]) / 2)
    triangles = vertices
    for _ in range(ROUNDS):
        centre, radius = fit_sphere(mean[vertices])
        beyond = np.linalg.norm(mean - centre, axis=1) - radius
        within = (distance < reach) & (beyond > -INWARDS) & (beyond < OUTWARDS)
        triangles = np.flatnonzero(within[model.triangles].all(axis=1))
        triangles = _with(triangles, model.triangles, int(distance.argmin()))
        vertices = np.unique(model.triangles[triangles])
    loop = boundary_loop(model.triangles[triangles], mean)
    to_patch = KDTree(mean[loop]).query(mean)[0]
    inside = np.setdiff1d(vertices, loop)
    near = np.setdiff1d(np.flatnonzero(to_patch < NEAR), inside)
    return EyePatch(
        vertices.astype(np.int32),
        triangles.astype(np.int32),
        loop.astype(np.int32),
        near.astype(np.int32),
        smoothing(mean[loop], SMOOTH),
    )


def fit_sphere(points: Float) -> tuple[NDArray[np.float64], float]:
    """Centre and radius of the sphere through (N, 3) points, by linear least squares."""
    system = np.column_stack([2 * points, np.ones(len(points))])
    x, y, z, rest = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    centre = np.array([x, y, z])
    return centre, float(np.sqrt(rest + centre @ centre))


def _with(chosen: Int, triangles: Int, vertex: int) -> Int:
    """Of the chosen triangles those that hang together with a vertex."""
    a, b, c = triangles[chosen].T
    size = int(triangles.max()) + 1
    edges = np.concatenate([a, b]), np.concatenate([b, c])
    graph = sparse.coo_matrix((np.ones(len(edges[0])), edges), shape=(size, size))
    _, name = connected_components(graph, directed=False)
    return chosen[name[a] == name[vertex]]
