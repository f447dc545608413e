"""Regions of the head that artists ask for by name: face, ears, neck, lips, eyes.

They follow from the mean shape and its 68 landmarks. A region is a polygon drawn on a flat chart
of the mean head; a vertex's weight tells how deep inside the polygon it lies, with a soft edge, so
that a mesh cut where the weight is one half has a smooth rim. Two charts suffice:

* `_seen_from_within` unrolls the head around the direction of the nose, as a camera inside the
  head with a very wide lens would see it. The contours of lips, eyes and jaw are splines through
  landmarks on it.
* The side view, in which the ear's outline is drawn: 3DDFA's landmarks have none there.

Face, ears and neck are the whole head: their weights add up to one. Lips and eyes lie in the face.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]

# Millimetres in the model frame. From here every part of the skin that a contour crosses is seen.
CENTRE = (0.0, -20.0, 15.0)
# Turns angles into lengths on the skin: its usual distance from the centre.
RADIUS = 90.0
# Half of the width over which a weight goes from 0 to 1, in millimetres: two to three vertices.
EDGES = {"ears": 2.0, "neck": 4.0, "lips": 1.0, "eyes": 1.0}
# Corners of a polygon between two landmarks.
CURVE_POINTS = 4

# iBUG-68. Contours with corners are two open curves, which share their ends.
LIPS = ((48, 49, 50, 51, 52, 53, 54), (54, 55, 56, 57, 58, 59, 48))
EYES = (((36, 37, 38, 39), (39, 40, 41, 36)), ((42, 43, 44, 45), (45, 46, 47, 42)))
# The jaw from below one ear's lobe to below the other's.
JAW = tuple(range(3, 14))

# The mean's ear in the side view, (z, y) in millimetres, from its top over the front.
EAR = (
    (4, 31), (9, 29), (13, 25), (14, 20), (15, 14), (17, 9), (18, 3), (18, -5), (17, -12),
    (19, -18), (20.5, -22), (19, -26), (15, -29.5), (12, -30), (5, -26.5), (-1, -23), (-6, -18),
    (-11, -10), (-15, -1), (-17, 6), (-17, 14), (-14, 21), (-10, 26), (-4, 31),
)  # fmt: skip
# The ears stand further out than this; the same place in the side view is empty further in.
EAR_FROM = 50.0
# (x, y, z): where the neck's border passes below the lobe, and where it ends behind the ear.
BELOW_LOBE = (68.0, -31.0, 12.0)
BEHIND_EAR = (75.0, 10.0, -12.0)


def region_weights(model: MorphableModel) -> dict[str, Float]:
    """How much of every vertex belongs to each region.

    Parameters
    ----------
    model
        Its mean and landmarks are used.

    Returns
    -------
    By name (``face``, ``ears``, ``neck``, ``lips``, ``eyes``): (V,) float in [0, 1].
    """
    chart = _seen_from_within(model.mean)
    contours = _seen_from_within(model.landmark_mean)
    ears = _ears(model.mean)
    neck = np.minimum(_soft(polygon_depth(chart, _neck_outline(contours)), "neck"), 1 - ears)
    lips = _soft(polygon_depth(chart, _outline(contours, LIPS)), "lips")
    right, left = (_soft(polygon_depth(chart, _outline(contours, eye)), "eyes") for eye in EYES)
    eyes = np.maximum(right, left)
    return {"face": 1 - ears - neck, "ears": ears, "neck": neck, "lips": lips, "eyes": eyes}


def _seen_from_within(points: Float) -> Float:
    """Azimuthal equidistant chart around +z: (N, 3) millimetres to (N, 2), about to scale."""
    directions = points - np.array(CENTRE)
    x, y, z = directions.T
    sideways = np.hypot(x, y)
    angle = np.arctan2(sideways, z)
    return RADIUS * (angle / np.maximum(sideways, 1e-9))[:, None] * directions[:, :2]


def _ears(points: Float) -> Float:
    weight = _soft(polygon_depth(points[:, [2, 1]], np.array(EAR, float)), "ears")
    return np.where(np.abs(points[:, 0]) > EAR_FROM, weight, 0)


def _neck_outline(contours: Float) -> Float:
    """Below the jaw, and below and behind the ears, out to where the chart has ended."""
    mirror = np.array([-1.0, 1, 1])
    left, right = (
        _seen_from_within(np.array([BELOW_LOBE, BEHIND_EAR]) * side) for side in (mirror, 1)
    )
    far = 10 * RADIUS
    outside = [[far, right[1, 1]], [far, -far], [-far, -far], [-far, left[1, 1]]]
    return np.concatenate([_curve(contours[list(JAW)]), right, outside, left[::-1]])


def _outline(contours: Float, curves: Sequence[Sequence[int]]) -> Float:
    """Return closed polygon of curves through landmarks, each of which begins where the last one
    ends.
    """
    return np.concatenate([_curve(contours[list(curve)])[:-1] for curve in curves])


def _curve(points: Float) -> Float:
    """Points on the spline through `points`, by the length of its chords."""
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    knots = np.concatenate([[0], np.cumsum(lengths)])
    steps = np.interp(
        np.linspace(0, len(points) - 1, CURVE_POINTS * (len(points) - 1) + 1),
        np.arange(len(points)),
        knots,
    )
    return CubicSpline(knots, points, bc_type="natural")(steps)


def polygon_depth(points: Float, polygon: Float) -> Float:
    """(N,) distance from the border of a polygon, positive inside."""
    start, edge = polygon, np.roll(polygon, -1, axis=0) - polygon
    squared = np.full(len(points), np.inf)
    inside = np.zeros(len(points), bool)
    for (x, y), (dx, dy) in zip(start, edge, strict=True):
        u, v = points[:, 0] - x, points[:, 1] - y
        along = np.clip((u * dx + v * dy) / (dx * dx + dy * dy), 0, 1)
        squared = np.minimum(squared, (u - along * dx) ** 2 + (v - along * dy) ** 2)
        # Even-odd rule: does a ray along +x cross the edge?
        inside ^= ((v < 0) != (v < dy)) & ((u * dy < v * dx) == (dy > 0))
    return np.where(inside, 1, -1) * np.sqrt(squared)


def _soft(depth: Float, region: str) -> Float:
    return np.clip(0.5 + depth / (2 * EDGES[region]), 0, 1)
