"""The skull's triangles, made on a chart of directions from the middle of the head.

The chart is azimuthal and equidistant around the direction backwards. In it the face's rim is a
closed line around everything that is missing, and the neck's lower end a hole. The head is a
distance in every direction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import Delaunay, KDTree

from backend.head.loops import smoothing
from backend.morphable_model.regions import polygon_depth

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Millimetres in the model frame: from here the rim and all that is missing is seen.
CENTRE = np.array([0.0, -15.0, 0.0])
# Turns angles into lengths on the head.
RADIUS = 90.0
# The neck ends in a plane, (y, z) of two points in it: at the throat and at the nape.
THROAT, NAPE = (-127.0, 46.0), (-112.0, -60.0)
ENDS = 110
# The other head's points that say where the neck goes: down to so far below its end, and where
# it has shoulders only those within the neck's width.
BELOW_END, NECK_HALF_WIDTH, SHOULDERS = 14.0, 58.0, -88.0
STEEPNESSES, END_SMOOTH = 140, 5.0
# Every so many vertices of the rim, and how far from the points the smooth head may stay.
RIM_STEP, SMOOTHING = 3, 2.0
# Points further from the rim than this are taken from the known head.
KNOWN_FROM = 14.0
# Distances between vertices: at the rim, how they grow with the distance from it, and at most.
FINEST, GROWTH, COARSEST = 1.7, 0.16, 8.0
LATTICES = (2.0, 2.8, 4.0, 5.6, 8.0)
RELAXATIONS = 12


def chart_of(points: Float) -> NDArray[np.float64]:
    """(N, 2) place in the chart of (N, 3) points; x as in the model frame."""
    away = points - CENTRE
    aside = np.hypot(away[:, 0], away[:, 1])
    angle = np.arctan2(aside, -away[:, 2])
    return RADIUS * (angle / np.maximum(aside, 1e-9))[:, None] * away[:, :2]


def directions(chart: Float) -> NDArray[np.float64]:
    """(N, 3) unit vectors of places in the chart."""
    length = np.linalg.norm(chart, axis=1)
    angle = length / RADIUS
    aside = (np.sin(angle) / np.maximum(length, 1e-9))[:, None] * chart
    return np.column_stack([aside, -np.cos(angle)])


def on_target(chart: Float, rim: Float, head: Float) -> NDArray[np.float64]:
    """(N, 3) points in the directions of the chart, on the rim and, away from it, on a head."""
    return CENTRE + _Lengths(rim, head)(chart)[:, None] * directions(chart)


def mesh_between(rim: Float, head: Float) -> tuple[Float, NDArray[np.int32], int]:
    """Triangles between the face's rim and the neck's end.

    Parameters
    ----------
    rim
        (R, 3) in order.
    head
        (M, 3) points on a whole head.

    Returns
    -------
    (N, 2) places in the chart, the first R of them the rim's, the last the neck's end; (T, 3)
    triangles, anticlockwise seen from outside; how many vertices the end has.
    """
    border, end = chart_of(rim), _neck_end(_Lengths(rim, head))
    inner = _graded(border, end)
    lines = slice(len(border), len(border) + len(inner))
    for _ in range(RELAXATIONS):
        points = np.concatenate([border, inner, end])
        inner = _neighbours_mean(points, _triangles(points, len(border), len(end)))[lines]
    points = np.concatenate([border, inner, end])
    # Seen from behind +x is on the left, so what is anticlockwise in the chart is so from within.
    triangles = _triangles(points, len(border), len(end))[:, ::-1]
    return points, triangles.astype(np.int32), len(end)


class _Lengths:
    """How far a head reaches from its middle, by place in the chart: smooth, and on the rim."""

    def __init__(self, rim: Float, head: Float) -> None:
        border, places = chart_of(rim), chart_of(head)
        x, y, z = np.abs(head[:, 0]), head[:, 1], head[:, 2]
        neck = (y > end_height(z) - BELOW_END) & ((x < NECK_HALF_WIDTH) | (y > SHOULDERS))
        # What lies in front of the rim is the other head's own face.
        known = neck & (polygon_depth(places, border) > KNOWN_FROM)
        points = np.concatenate([border[::RIM_STEP], places[known]])
        surface = np.concatenate([rim[::RIM_STEP], head[known]])
        self._spline = RBFInterpolator(
            points, np.linalg.norm(surface - CENTRE, axis=1), smoothing=SMOOTHING
        )

    def __call__(self, chart: Float) -> NDArray[np.float64]:
        return self._spline(chart)


def end_height(z: Float) -> Float:
    """(N,) y of the plane in which the neck ends, at (N,) z: millimetres in the model frame."""
    (y0, z0), (y1, z1) = THROAT, NAPE
    return y0 + (z - z0) * (y1 - y0) / (z1 - z0)


def _neck_end(lengths: _Lengths) -> NDArray[np.float64]:
    """Return (ENDS, 2) line in the chart in which the neck meets the plane of its end."""
    turn = 2 * np.pi * np.arange(ENDS) / ENDS
    steep = np.radians(np.linspace(12, 80, STEEPNESSES))
    sine, cosine = np.sin(steep), np.cos(steep)
    x, z = np.outer(np.cos(turn), sine), np.outer(np.sin(turn), sine)
    rays = np.stack([x, np.broadcast_to(-cosine, x.shape), z], axis=-1)
    chart = chart_of(CENTRE + rays.reshape(-1, 3))
    points = CENTRE + lengths(chart).reshape(ENDS, -1, 1) * rays
    above = points[..., 1] > end_height(points[..., 2])
    first = np.argmax(above, axis=1)
    line = chart.reshape(ENDS, -1, 2)[np.arange(ENDS), first]
    line = (line + line[(ENDS // 2 - np.arange(ENDS)) % ENDS] * (-1, 1)) / 2
    return smoothing(line, END_SMOOTH) @ line


def _graded(border: Float, end: Float) -> NDArray[np.float64]:
    """Points between the lines: dense at the rim, sparse away from it."""
    tree = KDTree(np.concatenate([border, end]))
    chosen = []
    for finer, step in zip((0.0, *LATTICES), LATTICES, strict=False):
        lattice = _hexagonal(border, step)
        away = tree.query(lattice)[0]
        wanted = np.clip(FINEST + GROWTH * away, FINEST, COARSEST)
        level = (wanted <= step) | (step == LATTICES[-1])
        chosen_here = level & (wanted > finer) & (away > 0.7 * step)
        chosen.append(lattice[chosen_here & _within(lattice, border) & ~_within(lattice, end)])
    return np.concatenate(chosen)


def _hexagonal(around: Float, step: float) -> NDArray[np.float64]:
    low, high = around.min(axis=0), around.max(axis=0)
    rows = np.arange(-high[1] - step, -low[1] + step, step * np.sqrt(3) / 2)
    columns = np.arange(0, max(-low[0], high[0]) + step, step)
    x, y = np.meshgrid(np.concatenate([-columns[:0:-1], columns]), -rows)
    return np.stack([(x + step / 2 * (np.arange(len(rows)) % 2)[:, None]).ravel(), y.ravel()], 1)


def _triangles(points: Float, borders: int, ends: int) -> NDArray[np.int64]:
    """Delaunay's triangles between the first points, a closed line, and the last ones."""
    triangles = Delaunay(points).simplices.astype(np.int64)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    u, v = b - a, c - a
    clockwise = u[:, 0] * v[:, 1] < u[:, 1] * v[:, 0]
    triangles[clockwise] = triangles[clockwise][:, ::-1]
    last = triangles >= len(points) - ends
    outside = (triangles < borders).all(axis=1) | last.all(axis=1)
    middles = points[triangles[outside]].mean(axis=1)
    keep = np.asarray(~outside)
    border, end = points[:borders], points[len(points) - ends :]
    keep[outside] = (polygon_depth(middles, border) > 0) & (polygon_depth(middles, end) < 0)
    return triangles[keep]


def _within(points: Float, line: Float) -> NDArray[np.bool_]:
    """Whether points are inside of a closed line that is star-shaped about its middle."""
    middle = (line.min(axis=0) + line.max(axis=0)) / 2
    (x, y), (u, v) = (line - middle).T, (points - middle).T
    angle = np.arctan2(y, x)
    order = np.argsort(angle)
    reach = np.interp(np.arctan2(v, u), angle[order], np.hypot(x, y)[order], period=2 * np.pi)
    return np.hypot(u, v) < reach


def _neighbours_mean(points: Float, triangles: Int) -> NDArray[np.float64]:
    start, end = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    a, b = np.concatenate([start, end]), np.concatenate([end, start])
    count = np.maximum(np.bincount(a, minlength=len(points)), 1)
    total = np.stack([np.bincount(a, points[b, k], len(points)) for k in range(2)], axis=1)
    return total / count[:, None]
