"""The skull: what the face lacks of a head, from its rim over crown and nape down to the neck.

It is made once for the mean face, and bent for each person. Both are the same kind of problem: a
thin plate that goes on where the face's skin ends, in place and in slope, and that is drawn to a
head known from elsewhere the further it is from the rim. So there is no step and no crease.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree

from backend.head.loops import boundary_loop
from backend.head.parts import STILL, Deltas, Part, fan_faces, moving
from backend.head.skull_mesh import end_height, mesh_between, on_target
from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Rings of the face's triangles at the rim that say how the plate goes on.
BAND_RINGS = 3
# Millimetres from the rim where the pull of the known head begins and where it is whole.
PULL_FROM, PULL_WHOLE = 12.0, 55.0
# The pull in the mean, and of a person's size and place, against the plate's stiffness.
PULL_MEAN, PULL_PERSON = 3e-4, 2e-5
# With which the neck's end is held in its plane.
HOLD = 1.0
# Keys move the skull within so many millimetres of the rim, as the nearest vertices of it move.
FADES_OVER, NEAREST = 30.0, 12
# The plate is measured on itself, so it is solved for again.
ROUNDS = 3
# Share of the texture left free at its edge.
MARGIN = 0.02


@dataclass(frozen=True)
class SkullShape:
    """The skull of the mean face, and what bends it.

    Attributes
    ----------
    vertices
        (N, 3) float32, millimetres. The first are those of `rim`; the last of `end`, the neck's
        lower end, anticlockwise seen from above.
    faces
        (F, 4) int32 triangles.
    uv
        (N, 2) float32.
    rim, band
        Vertices of the face: its border, and those that lead up to it (with the border first).
    stiffness, coupling
        Sparse (N - R, N - R) and (N - R, B): the plate's equations for the vertices behind the
        rim, and how those of the band enter them.
    pull
        (N - R, 3) how strongly each coordinate is drawn to where the person's size and place put
        it. The height of the neck's end is held, so that it stays flat.
    follow
        Sparse (N, R): how a key's motion of the rim fades out behind it.
    ends
        How many vertices are the neck's end.
    """

    vertices: Float
    faces: Int
    uv: Float
    rim: Int
    band: Int
    stiffness: sparse.csc_matrix
    coupling: sparse.csr_matrix
    pull: Float
    follow: sparse.csr_matrix
    ends: int

    @cached_property
    def _solve(self) -> list[Any]:
        """For x, y and z."""
        across, upright = (
            splu((self.stiffness + sparse.diags(self.pull[:, axis])).tocsc()).solve
            for axis in (0, 1)
        )
        return [across, upright, across]

    def bent(self, moves: Float, size: Float) -> Float:
        """How the skull moves when the face's band moves.

        Parameters
        ----------
        moves
            (B, 3) of the band.
        size
            (N - R, 3), where the pull draws it.

        Returns
        -------
        (N, 3).
        """
        force = self.pull * size - self.coupling @ moves
        inner = np.stack([self._solve[axis](force[:, axis]) for axis in range(3)], axis=1)
        return np.concatenate([moves[: len(self.rim)], inner])


def build_skull(model: MorphableModel, head: Float) -> SkullShape:
    """Make the skull of the mean face.

    Parameters
    ----------
    head
        (M, 3) points on a whole head, brought over the mean face by a similarity.
    """
    mean = model.mean.astype(np.float64)
    rim = boundary_loop(model.triangles, mean)
    band, band_triangles = _band(model.triangles, rim)
    chart, triangles, ends = mesh_between(mean[rim], head)
    target = on_target(chart, mean[rim], head)
    count = len(rim)
    target[:count] = mean[rim]
    # One mesh of band and skull: the band's first vertices are the skull's rim.
    number = np.full(len(mean), -1)
    number[band[:count]] = np.arange(count)
    number[band[count:]] = len(chart) + np.arange(len(band) - count)
    together = np.concatenate([triangles, number[band_triangles]])
    fixed = np.concatenate([np.arange(count), len(chart) + np.arange(len(band) - count)])
    free = np.arange(count, len(chart))
    away = _away(target[free], mean[rim])
    share = np.clip((away - PULL_FROM) / (PULL_WHOLE - PULL_FROM), 0, 1) ** 2
    share = np.repeat(share[:, None], 3, axis=1)
    vertices = np.concatenate([target, mean[band[count:]]])
    for _ in range(ROUNDS):
        plate = _plate(vertices, together)
        inner, edge = plate[free][:, free], plate[free][:, fixed]
        target[-ends:, 1] = end_height(vertices[: len(chart)][-ends:, 2])
        for axis in range(3):
            pull = PULL_MEAN * share[:, axis]
            pull[-ends:] += HOLD * (axis == 1)
            known = pull * target[free, axis] - edge @ vertices[fixed, axis]
            vertices[free, axis] = splu((inner + sparse.diags(pull)).tocsc()).solve(known)
    plate = _plate(vertices, together)
    pull = PULL_PERSON * share
    pull[-ends:, 1] = HOLD
    spread = np.ptp(chart, axis=0).max()
    low = chart.min(axis=0) - (spread - np.ptp(chart, axis=0)) / 2
    uv = MARGIN + (1 - 2 * MARGIN) * (chart - low) / spread
    return SkullShape(
        vertices[: len(chart)].astype(np.float32),
        triangles[:, [0, 1, 2, 2]].astype(np.int32),
        uv.astype(np.float32),
        rim.astype(np.int32),
        band.astype(np.int32),
        plate[free][:, free].tocsc(),
        plate[free][:, fixed].tocsr(),
        pull,
        _follow(vertices[: len(chart)], count),
        ends,
    )


def skull_part(shape: SkullShape, mean: Float, neutral: Float, deltas: Deltas) -> Part:
    """Return the skull of a person.

    Parameters
    ----------
    mean, neutral, deltas
        (V, 3) of the model, of the person's face, and of its keys.
    """
    moves = (neutral - mean)[shape.band].astype(np.float64)
    free = shape.vertices[len(shape.rim) :].astype(np.float64)
    size = _similar(mean[shape.band].astype(np.float64), moves, free)
    size[-shape.ends :, 1] = neutral[shape.rim, 1].min() - mean[shape.rim, 1].min()
    vertices = shape.vertices + shape.bent(moves, size)
    vertices[: len(shape.rim)] = neutral[shape.rim]
    moved = {
        name: shape.follow @ delta[shape.rim]
        for name, delta in deltas.items()
        if np.abs(delta[shape.rim]).max() > STILL
    }
    part = Part("skull", vertices.astype(np.float32), shape.faces, shape.uv, "scalp", moving(moved))
    return _with_base(part, shape.ends)


def _with_base(part: Part, ends: int) -> Part:
    """Close the neck below by a flat face with an edge of its own, so that it is shaded flat."""
    edge = part.vertices[-ends:]
    vertices = np.concatenate([part.vertices, edge, edge.mean(axis=0, keepdims=True)])
    uv = np.concatenate([part.uv, part.uv[-ends:], part.uv[-ends:].mean(axis=0, keepdims=True)])
    ring = np.arange(len(part.vertices), len(vertices) - 1)
    faces = np.concatenate([part.faces, fan_faces(ring, len(vertices) - 1)])
    still = np.zeros((ends + 1, 3), np.float32)
    deltas = {name: np.concatenate([delta, still]) for name, delta in part.deltas.items()}
    return Part(part.name, vertices, faces, uv, part.material, deltas)


def _similar(before: Float, moves: Float, points: Float) -> Float:
    """Return moves of points under the scaling and shift that tell most of the moves of others."""
    middle, shift = before.mean(axis=0), moves.mean(axis=0)
    from_middle = before - middle
    scale = (from_middle * (moves - shift)).sum() / (from_middle**2).sum()
    return shift + scale * (points - middle)


def _band(triangles: Int, rim: Int) -> tuple[Int, Int]:
    """Vertices within some rings of the rim, the rim's first, and the triangles between them."""
    inside = np.zeros(int(triangles.max()) + 1, bool)
    inside[rim] = True
    for _ in range(BAND_RINGS):
        inside[triangles[inside[triangles].any(axis=1)]] = True
    others = np.setdiff1d(np.flatnonzero(inside), rim)
    return np.concatenate([rim, others]), triangles[inside[triangles].all(axis=1)]


def _follow(vertices: Float, count: int) -> sparse.csr_matrix:
    """Weights that carry motion of the first `count` vertices on to all, fading with distance."""
    away, near = KDTree(vertices[:count]).query(vertices, NEAREST)
    fade = np.clip(1 - away[:, 0] / FADES_OVER, 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    # Wider the further out, so that the rim's steps are not carried on.
    share = np.exp(-0.5 * (away - away[:, :1]) ** 2 / (0.3 + 0.5 * away[:, :1]) ** 2)
    share *= (fade / share.sum(axis=1))[:, None]
    rows = np.repeat(np.arange(len(vertices)), NEAREST)
    weights = (share.ravel(), (rows, near.ravel()))
    follow = sparse.coo_matrix(weights, shape=(len(vertices), count)).tolil()
    follow[:count] = sparse.identity(count)
    return follow.tocsr()


def _away(points: Float, rim: Float) -> Float:
    return KDTree(rim).query(points)[0]


def _plate(vertices: Float, triangles: Int) -> sparse.csr_matrix:
    """Return the thin plate's energy on a mesh: the squared cotangent Laplacian."""
    import igl

    laplacian = igl.cotmatrix(vertices, triangles.astype(np.int64))
    mass = igl.massmatrix(vertices, triangles.astype(np.int64), igl.MASSMATRIX_TYPE_VORONOI)
    return (laplacian.T @ sparse.diags(1 / mass.diagonal()) @ laplacian).tocsr()
