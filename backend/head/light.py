"""Lighter meshes of the face: quads of the grid that the model is, all of them or every second row.

The rims of head, mouth and eyes keep all their vertices, so that the parts beside the face still
fit; there the quads become finer step by step. A vertex of a light mesh is one of the model's, so
texture coordinates, groups and keys are those of the model at its vertices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.head.eye_patch import EyePatch
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.topology import NO_VERTEX, Grid, recover_grids

Int = NDArray[np.integer]

# Of the grid's rows and columns one is kept of so many.
STEPS = {"full": 1, "half": 2, "quarter": 4}


@dataclass(frozen=True)
class LightMesh:
    """A mesh of some of the face's vertices.

    Attributes
    ----------
    vertices
        (N,) int32, which of the model's vertices it has, ascending.
    faces
        (F, 4) int32 of its own vertices, anticlockwise seen from outside; a triangle repeats its
        last one.
    hidden
        (F,) bool, the faces in place of the eyes.
    """

    vertices: NDArray[np.int32]
    faces: NDArray[np.int32]
    hidden: NDArray[np.bool_]


def light_mesh(model: MorphableModel, patches: Sequence[EyePatch], step: int) -> LightMesh:
    """Keep one of `step` rows and columns of the grid.

    Parameters
    ----------
    patches
        The eyes' patches: no face is half in one of them.
    step
        1, 2 or 4, see `STEPS`.
    """
    hidden = np.zeros(len(model.triangles), bool)
    for patch in patches:
        hidden[patch.triangles] = True
    grids = [_Cells.of(grid, model, hidden) for grid in recover_grids(model.mean)]
    leaves = [leaf for cells in grids for leaf in cells.leaves(step)]
    used = np.zeros(len(model.mean), bool)
    used[_borders(model.triangles)] = True
    used[_borders(model.triangles[~hidden])] = True
    for leaf in leaves:
        used[leaf.corners] = True
    made = [faces for leaf in leaves for faces in leaf.faces(used)]
    faces = np.concatenate([quads for quads, _ in made])
    in_patch = np.concatenate([np.full(len(quads), is_hidden) for quads, is_hidden in made])
    kept, numbers = np.unique(faces, return_inverse=True)
    return LightMesh(kept.astype(np.int32), numbers.reshape(faces.shape).astype(np.int32), in_patch)


@dataclass(frozen=True)
class _Leaves:
    """Blocks of one size that become faces.

    Attributes
    ----------
    rings
        (B, 4 size) vertices around each, anticlockwise from the top left.
    middles
        (B,) a vertex in the middle; of single cells none.
    hidden
        (B,) whether they are in place of an eye.
    """

    rings: Int
    middles: Int | None
    hidden: NDArray[np.bool_]

    @property
    def corners(self) -> Int:
        return self.rings[:, :: self.rings.shape[1] // 4]

    def faces(self, used: NDArray[np.bool_]) -> Iterator[tuple[Int, bool]]:
        """Quads, and whether they are hidden; fans where finer faces are beside a block."""
        needed = used[self.rings]
        plain = needed.sum(axis=1) == 4
        for is_hidden in (False, True):
            chosen = self.hidden == is_hidden
            yield self.corners[plain & chosen], is_hidden
            if self.middles is not None:
                yield self._fans(np.flatnonzero(~plain & chosen), needed), is_hidden

    def _fans(self, blocks: Int, needed: NDArray[np.bool_]) -> Int:
        """Triangles from the middle of blocks to all vertices around that others have."""
        assert self.middles is not None
        rings, here = self.rings[blocks], needed[blocks]
        following = _next_needed(rings, here)
        middles = np.broadcast_to(self.middles[blocks][:, None], rings.shape)
        fans = np.stack([rings, following, middles, middles], axis=-1)
        return fans[here]


def _next_needed(rings: Int, needed: NDArray[np.bool_]) -> Int:
    """For each place of rings the vertex of the next place that is needed."""
    count = rings.shape[1]
    places = np.where(np.tile(needed, 2), np.arange(2 * count), 2 * count)
    ahead = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1][:, 1 : count + 1]
    return np.take_along_axis(rings, ahead % count, axis=1)


@dataclass(frozen=True)
class _Cells:
    """The cells of one grid.

    Attributes
    ----------
    grid
        (R, C) vertices.
    whole
        (R - 1, C - 1), cells of two triangles.
    hidden
        (R - 1, C - 1) how many of their triangles are hidden.
    single
        (T, 3) triangles of the cells that are not whole, or half hidden.
    single_hidden
        (T,).
    """

    grid: Grid
    whole: NDArray[np.bool_]
    hidden: Int
    single: Int
    single_hidden: NDArray[np.bool_]

    @classmethod
    def of(cls, grid: Grid, model: MorphableModel, hidden: NDArray[np.bool_]) -> _Cells:
        """Find what of a grid the model's triangles are, and which of them are hidden."""
        size = grid.shape[0] - 1, grid.shape[1] - 1
        row, column = np.indices(size)
        corners = np.stack(
            [grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=-1
        ).reshape(-1, 4)
        falling = ((row + column) % 2 == 0).ravel()
        halves = np.where(
            falling[:, None, None],
            corners[:, [[0, 1, 2], [0, 2, 3]]],
            corners[:, [[0, 1, 3], [3, 1, 2]]],
        )
        there = (halves != NO_VERTEX).all(axis=2)
        of_model = _numbers(halves.reshape(-1, 3), model.triangles).reshape(-1, 2)
        is_hidden = there & hidden[np.maximum(of_model, 0)]
        whole = there.all(axis=1) & (is_hidden[:, 0] == is_hidden[:, 1])
        alone = there & ~whole[:, None]
        return cls(
            grid,
            whole.reshape(size),
            is_hidden.sum(axis=1).reshape(size),
            halves[alone],
            is_hidden[alone],
        )

    def leaves(self, step: int) -> Iterator[_Leaves]:
        """Blocks as large as they can be."""
        free = self.whole.copy()
        size = step
        while size >= 1:
            rows, columns = (n // size for n in free.shape)
            blocks = free[: rows * size, : columns * size].reshape(rows, size, columns, size)
            hidden = self.hidden[: rows * size, : columns * size].reshape(blocks.shape)
            hidden = hidden.sum(axis=(1, 3))
            uniform = (hidden == 0) | (hidden == 2 * size**2)
            row, column = np.nonzero(blocks.all(axis=(1, 3)) & uniform)
            blocks[row, :, column, :] = False
            free[: rows * size, : columns * size] = blocks.reshape(rows * size, columns * size)
            down, right = _around(size)
            rings = self.grid[row[:, None] * size + down, column[:, None] * size + right]
            middle = self.grid[row * size + size // 2, column * size + size // 2]
            yield _Leaves(rings, middle if size > 1 else None, hidden[row, column] > 0)
            size //= 2
        if len(self.single):
            yield _Leaves(self.single[:, [0, 1, 2, 2]], None, self.single_hidden)


def _around(size: int) -> tuple[Int, Int]:
    """Rows and columns of the vertices around a block, anticlockwise from the top left."""
    up, zero = np.arange(size), np.zeros(size, np.int64)
    full = np.full(size, size)
    down = np.concatenate([up, full, size - up, zero])
    right = np.concatenate([zero, up, full, size - up])
    return down, right


def _numbers(triangles: Int, known: Int) -> Int:
    """(N,) which of the known triangles each is, whatever its order; -1 for none."""
    base = int(known.max()) + 2

    def key(corners: Int) -> Int:
        a, b, c = (np.sort(corners, axis=1) + 1).astype(np.int64).T
        return (a * base + b) * base + c

    keys = key(known)
    order = np.argsort(keys)
    wanted = key(triangles)
    place = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    return np.where(keys[order][place] == wanted, order[place], -1)


def _borders(triangles: Int) -> Int:
    """Vertices of edges that have one triangle only."""
    edges = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2)
    low, high = np.sort(edges, axis=1).astype(np.int64).T
    base = int(high.max()) + 1
    single, count = np.unique(low * base + high, return_counts=True)
    return np.unique(np.divmod(single[count == 1], base))
