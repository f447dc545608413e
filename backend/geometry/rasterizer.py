"""A z-buffer rasteriser in NumPy: which triangle each pixel of a picture sees, and where.

Triangles become spans, one per row that they touch, and spans become pixels; both steps are one
ragged enumeration over all triangles at once. A span is half open and its ends come from the
edges alone, computed the same way for both triangles that share an edge. So two neighbours never
leave a crack between them and never both own a pixel of a flat mesh, which is the top-left rule.

The projection must be affine (weak perspective), so depth and attributes are linear on screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Int = NDArray[np.int32]

# Pixels whose depths and weights are worked out at once: all that this takes fits into the caches.
BLOCK = 2**13


@dataclass(frozen=True)
class Fragments:
    """What every pixel of a picture sees.

    Attributes
    ----------
    triangle
        (H, W) int32, index of the nearest triangle; -1 is background.
    barycentric
        (H, W, 3) float32, weights of the triangle's corners at the pixel's centre; 0 on background.
    depth
        (H, W) float32, z of the surface; -inf on background.
    """

    triangle: Int
    barycentric: Float
    depth: Float

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(H, W), where a triangle is seen."""
        return self.triangle >= 0


def rasterize(
    vertices: Float, triangles: Int, height: int, width: int, *, cull: bool = True
) -> Fragments:
    """Find the nearest triangle of every pixel.

    Parameters
    ----------
    vertices
        (V, 3) in the image frame: x right, y down, z to the viewer; pixel centres at integers.
    triangles
        (T, 3) vertex indices, anticlockwise as seen from outside.
    height, width
        Size of the picture in pixels.
    cull
        Leave out triangles that show their back.

    Returns
    -------
    Fragments. Where surfaces are equally near, the later triangle wins. Triangles with a vertex
    that is not finite are left out.
    """
    corners = np.asarray(vertices, np.float32)[triangles]
    with np.errstate(invalid="ignore", over="ignore"):
        drawn = _drawable(corners, height, width, cull)
    corners = corners[drawn]
    span_triangle, y, left, right = _spans(corners, height, width)
    of_span, x = _enumerate(left, right)
    triangle, y = span_triangle[of_span], y[of_span]
    planes = _planes(corners)
    z = np.empty(len(x), np.float32)
    for block in _blocks(len(x)):
        z[block] = _depth(planes[triangle[block]], x[block], y[block])

    pixel = y * width + x
    depth = np.full(height * width, -np.inf, np.float32)
    np.maximum.at(depth, pixel, z)
    nearest = z == depth[pixel]
    winner = np.full(height * width, -1, np.int32)
    winner[pixel[nearest]] = triangle[nearest]

    seen = np.flatnonzero(winner >= 0)
    barycentric = np.zeros((height * width, 3), np.float32)
    for block in _blocks(len(seen)):
        y, x = np.divmod(seen[block], width)
        barycentric[seen[block]] = _barycentric(corners[winner[seen[block]]], x, y)
    winner[seen] = drawn[winner[seen]]
    return Fragments(
        winner.reshape(height, width),
        barycentric.reshape(height, width, 3),
        depth.reshape(height, width),
    )


def interpolate(fragments: Fragments, triangles: Int, attributes: NDArray[np.floating]) -> Float:
    """Spread attributes of the vertices over the picture.

    Parameters
    ----------
    attributes
        (V, C) one row per vertex.

    Returns
    -------
    (H, W, C) float32, 0 on background.
    """
    attributes = np.asarray(attributes, np.float32)
    picture = np.zeros((*fragments.triangle.shape, attributes.shape[1]), np.float32)
    seen = fragments.covered
    corners = attributes[triangles[fragments.triangle[seen]]]
    picture[seen] = np.einsum("nk,nkc->nc", fragments.barycentric[seen], corners)
    return picture


def _drawable(corners: Float, height: int, width: int, cull: bool) -> NDArray[np.intp]:
    """Return indices of the triangles that face the viewer and whose box holds a pixel centre."""
    x, y = corners[..., 0], corners[..., 1]
    # y points down, so an anticlockwise triangle has a negative area here.
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    drawn = area < 0 if cull else area != 0
    drawn &= np.isfinite(area) & np.isfinite(corners[..., 2].sum(axis=1))
    drawn &= _holds_centre(x, width) & _holds_centre(y, height)
    return np.flatnonzero(drawn)


def _holds_centre(coordinate: Float, size: int) -> NDArray[np.bool_]:
    """Tell whether the range of (T, 3) coordinates holds one of 0 .. size - 1."""
    low, high = _range(coordinate)
    return np.maximum(np.ceil(low), 0) <= np.minimum(np.floor(high), size - 1)


def _range(corners: Float) -> tuple[Float, Float]:
    """Return the smallest and largest of the last axis' three values; faster than min(axis=-1)."""
    a, b, c = corners[..., 0], corners[..., 1], corners[..., 2]
    return np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)


def _spans(corners: Float, height: int, width: int) -> tuple[NDArray[np.intp], Int, Int, Int]:
    """Return rows of pixels inside each triangle: its index, y, first x, one past the last x."""
    order = np.argsort(corners[..., 1], axis=1, kind="stable")
    # float64, so that a row far outside the picture does not cost the precision of those inside.
    points = np.take_along_axis(corners[..., :2], order[..., None], axis=1).astype(np.float64)
    (x0, y0), (x1, y1), (x2, y2) = (points[:, k].T for k in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        long, upper, lower = (x2 - x0) / (y2 - y0), (x1 - x0) / (y1 - y0), (x2 - x1) / (y2 - y1)

    first = np.clip(np.ceil(y0), 0, height).astype(np.int32)
    end = np.clip(np.ceil(y2), 0, height).astype(np.int32)
    triangle, y = _enumerate(first, end)
    below = y >= y1[triangle]
    a = x0[triangle] + (y - y0[triangle]) * long[triangle]
    knee = np.where(below, 1, 0)
    slope = np.stack([upper, lower], axis=1)[triangle, knee]
    b = points[triangle, knee, 0] + (y - points[triangle, knee, 1]) * slope
    left = np.clip(np.ceil(np.minimum(a, b)), 0, width).astype(np.int32)
    right = np.clip(np.ceil(np.maximum(a, b)), 0, width).astype(np.int32)
    return triangle, y, left, right


def _enumerate(start: Int, end: Int) -> tuple[NDArray[np.intp], Int]:
    """Concatenate the ranges ``start[i] .. end[i]``: the i of each element, and its value."""
    length = np.maximum(end - start, 0)
    owner = np.repeat(np.arange(len(length)), length)
    offset = start - (np.cumsum(length) - length)
    return owner, (np.arange(len(owner)) + offset[owner]).astype(np.int32)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))


def _planes(corners: Float) -> Float:
    """Return (T, 7) each triangle's first corner, z by x and by y, least and greatest z."""
    origin = corners[:, 0]
    (ux, uy, uz), (vx, vy, vz) = (corners[:, 1] - origin).T, (corners[:, 2] - origin).T
    area = ux * vy - uy * vx
    slopes = (uz * vy - uy * vz) / area, (ux * vz - uz * vx) / area
    return np.stack([*origin.T, *slopes, *_range(corners[..., 2])], axis=1)


def _depth(planes: Float, x: Int, y: Int) -> Float:
    """Return z of (N, 7) planes at a pixel each."""
    x0, y0, z0, z_by_x, z_by_y, low, high = planes.T
    z = z0 + (x - x0) * z_by_x + (y - y0) * z_by_y
    # In a triangle seen edge-on rounding may throw the plane far off.
    return np.clip(z, low, high).astype(np.float32)


def _barycentric(corners: Float, x: NDArray[np.intp], y: NDArray[np.intp]) -> Float:
    """Return (N, 3) weights of (N, 3, 3) triangles at pixels inside them."""
    dx, dy = corners[..., 0] - x[:, None], corners[..., 1] - y[:, None]
    following, last = [1, 2, 0], [2, 0, 1]
    weights = dx[:, following] * dy[:, last] - dx[:, last] * dy[:, following]
    total = weights.sum(axis=1, keepdims=True)
    weights = np.clip(weights / np.where(total == 0, 1, total), 0, 1)
    weights[total[:, 0] == 0] = 1 / 3
    return weights / weights.sum(axis=1, keepdims=True)
