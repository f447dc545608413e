"""The model's triangles, recovered from its mean shape alone.

The published arrays carry no triangle list, but the vertices were sampled in a regular order: the
mesh is the surface of a box, five patches of 129 x 129 points at most, each stored column by
column, trimmed at its outer edge, and with the border of two patches stored once. Neighbours in a
column are close together in space, so the columns can be told apart, put at their rows, and glued
into grids; every grid cell then is two triangles, whose diagonals alternate as on a draughts board.

Grids are written as seen from outside the head, rows downwards and columns to the right::

                 ┌───────┐
                 │  top  │                     129 x 129
        ┌────────┼───────┼────────┐
        │  left     front   right │  = ring     129 x 353
        └────────┼───────┼────────┘
                 │ bottom│                     129 x 129
                 └───────┘

"Left" is the image's left, -x. The result is compared with the list that the model's authors
publish by `triangles_digest`, see the tests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.morphable_model.model import N_VERTICES

Grid = NDArray[np.int64]
Columns = list[NDArray[np.int64]]
Float = NDArray[np.floating]

NO_VERTEX = -1
ROWS = 129

# First vertex and number of columns of each patch, in the order of the file.
FRONT, LEFT, RIGHT, TOP, BOTTOM = range(5)
PATCH_STARTS = (0, 16_237, 27_243, 38_378, 42_652)
PATCH_COLUMNS = (128, 112, 113, 127, 127)
FRONT_FIRST = PATCH_COLUMNS[LEFT]
FRONT_LAST = FRONT_FIRST + ROWS - 1

# Millimetres. Neighbours in a column are nearer than this, the ends of two columns farther apart.
COLUMN_BREAK = 9.0
# The lips part between these rows of the front.
MOUTH_ROWS = (96, 112)
# A trimmed column must overlap the two columns beside it by this share to be compared with them.
MIN_OVERLAP = 0.6


@dataclass(frozen=True)
class Grids:
    """Vertex indices of the box's surface, `NO_VERTEX` where it was trimmed.

    Attributes
    ----------
    ring
        (129, 353): left, front and right side.
    top, bottom
        (129, 129): the last row of `top` is the front's first, the first row of `bottom` its last.
    """

    ring: Grid
    top: Grid
    bottom: Grid

    def __iter__(self) -> Iterator[Grid]:
        return iter((self.ring, self.top, self.bottom))


def recover_grids(mean: Float) -> Grids:
    """Arrange the vertices of the mean shape in grids.

    Parameters
    ----------
    mean
        (53215, 3) millimetres, model frame.

    Raises
    ------
    BadInputError
        The vertices are not stored in the columns that 3DDFA's 53,215 vertices have.
    """
    patches = _patches(mean)
    points = np.vstack([mean, np.full(3, np.nan)])  # index NO_VERTEX gives NaN
    left = _side_grid(points, patches[LEFT][::-1])[:, ::-1]
    right = _side_grid(points, patches[RIGHT])
    ring = np.hstack([left, _front_grid(points, patches[FRONT]), right])
    # Seen from above, the top's columns run from its back to the front, like the bottom's seen
    # from below run from the front to the back.
    top = _cap_grid(ring[0], [column[::-1] for column in patches[TOP]])[::-1]
    bottom = _cap_grid(ring[-1], patches[BOTTOM])
    return Grids(ring, top, bottom)


def triangles_from_grids(grids: Grids) -> NDArray[np.int32]:
    """Return (T, 3) vertex indices, anticlockwise seen from outside."""
    return np.concatenate([_cell_triangles(grid) for grid in grids]).astype(np.int32)


def triangles_digest(triangles: NDArray[np.integer]) -> str:
    """Return SHA-256 of a triangle list, whatever its order and winding.

    Each triangle is sorted, then the list; the bytes are int32, little-endian.
    """
    ordered = np.sort(triangles, axis=1)
    ordered = ordered[np.lexsort(ordered.T[::-1])]
    return hashlib.sha256(ordered.astype("<i4").tobytes()).hexdigest()


def _patches(mean: Float) -> list[Columns]:
    """Split the sequence of vertices into the columns of the five patches."""
    if mean.shape != (N_VERTICES, 3):
        raise BadInputError(
            f"The mean shape has {mean.size // 3:,} vertices instead of {N_VERTICES:,}.",
            "Use the arrays of 3DDFA or SynergyNet; other cuts of the model have other vertices.",
        )
    steps = np.linalg.norm(np.diff(mean, axis=0), axis=1)
    starts = np.union1d(PATCH_STARTS, np.flatnonzero(steps > COLUMN_BREAK) + 1)
    columns = np.split(np.arange(N_VERTICES), starts[1:])
    bounds = np.searchsorted(starts, [*PATCH_STARTS, N_VERTICES])
    patches = [columns[first:end] for first, end in pairwise(bounds)]
    if tuple(map(len, patches)) != PATCH_COLUMNS or max(map(len, columns)) > ROWS:
        raise BadInputError(
            "The mean shape's vertices are not in the order of 3DDFA's Basel Face Model.",
            "Run `synergyface assets fetch`, or import SynergyNet's own `3dmm_data` folder.",
        )
    return patches


def _deviation(points: Float, vertices: Grid, near: Grid, far: Grid) -> Float:
    """Return the distance of vertices from the straight continuation of the columns far, near; NaN
    unknown.
    """
    return np.linalg.norm(points[vertices] - 2 * points[near] + points[far], axis=-1)


def _side_grid(points: Float, columns: Columns) -> Grid:
    """Arrange the left or right side, its columns ordered from the face outwards.

    A trimmed column slides to the rows where it best continues the two before it.
    """
    grid = np.full((ROWS, len(columns)), NO_VERTEX)
    for index, column in enumerate(columns):
        first = 0
        if len(column) < ROWS:
            near, far = (sliding_window_view(grid[:, index - k], len(column)) for k in (1, 2))
            deviation = _deviation(points, column, near, far)
            known = np.isfinite(deviation)
            total = np.sum(deviation, axis=1, where=known)
            count = known.sum(axis=1)
            cost = np.where(
                count >= MIN_OVERLAP * len(column), total / np.maximum(count, 1), np.inf
            )
            first = int(cost.argmin())
        grid[first : first + len(column), index] = column
    return grid


def _front_grid(points: Float, columns: Columns) -> Grid:
    """Arrange the front: a column has all rows, unless the mouth cuts it in an upper and a lower
    part.
    """
    grid = np.full((ROWS, len(columns)), NO_VERTEX)
    lengths = np.array([len(column) for column in columns])
    for index in np.flatnonzero(lengths == ROWS):
        grid[:, index] = columns[index]
    cut = np.flatnonzero(lengths < ROWS)
    middle = (cut[0] + cut[-1]) / 2
    # From the corners of the mouth inwards, so that the two columns further out are there.
    for index in sorted(cut.tolist(), key=lambda i: -abs(i - middle)):
        outwards = 1 if index > middle else -1
        column, missing = columns[index], ROWS - lengths[index]
        gaps = np.linalg.norm(np.diff(points[column], axis=0), axis=1)
        window = slice(MOUTH_ROWS[0], MOUTH_ROWS[1] - missing)
        lower_lip = int(gaps[window].argmax()) + window.start + 1
        grid[:lower_lip, index] = column[:lower_lip]
        grid[lower_lip + missing :, index] = column[lower_lip:]
        _settle_mouth_corner(points, grid, index, outwards, lower_lip, lower_lip + missing)
    return grid


def _settle_mouth_corner(
    points: Float, grid: Grid, index: int, outwards: int, gap: int, row: int
) -> None:
    """Move the first vertex under the gap up to where it best continues its row.

    Near the corners of the mouth a single vertex may stand between the lips, apart from the
    lower part of its column.
    """
    rows = np.arange(gap, row + 1)
    vertex = grid[row, index]
    deviation = _deviation(
        points, vertex, grid[rows, index + outwards], grid[rows, index + 2 * outwards]
    )
    if np.isfinite(deviation[-1]):
        grid[row, index] = NO_VERTEX
        grid[rows[np.nanargmin(deviation)], index] = vertex


def _cap_grid(border: Grid, columns: Columns) -> Grid:
    """Arrange the bottom (or the top, upside down), hung on a border row of the ring.

    Parameters
    ----------
    border
        (353,) the ring's last row: its middle is the cap's first row, its two wings are the
        cap's outer columns.
    columns
        The 127 columns between those, each from the front to the back.
    """
    grid = np.full((ROWS, ROWS), NO_VERTEX)
    left_wing, right_wing = border[:FRONT_FIRST][::-1], border[FRONT_LAST + 1 :]
    grid[0] = border[FRONT_FIRST : FRONT_LAST + 1]
    grid[1 : 1 + len(left_wing), 0] = left_wing
    grid[1 : 1 + len(right_wing), -1] = right_wing
    for index, column in enumerate(columns, start=1):
        grid[1 : 1 + len(column), index] = column
    return grid


def _cell_triangles(grid: Grid) -> Grid:
    """Return two triangles per cell; cells whose row + column is even are cut from the top left."""
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    row, column = np.indices(a.shape)
    falling = ((row + column) % 2 == 0)[..., None]
    first = np.where(falling, np.stack([a, c, d], -1), np.stack([a, c, b], -1))
    second = np.where(falling, np.stack([a, d, b], -1), np.stack([b, c, d], -1))
    triangles = np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)])
    return triangles[(triangles != NO_VERTEX).all(axis=1)]
