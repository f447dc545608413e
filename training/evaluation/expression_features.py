"""What a face's expression does, as lengths that need no common model.

They are taken from MediaPipe's points of a face, wherever those come from: from a picture, or
from the surface of an animated mesh. Each is measured in the head's own frame and in units of the
distance of the eyes' outer corners, so that pose, size and identity do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

X, Y = 0, 1
OUTER_CORNERS = (33, 263)
FOREHEAD, CHIN = 10, 152
# Lids' middles, upper and lower, of the person's right eye and of the left.
LIDS = ((159, 145), (386, 374))
# What hardly moves in a face: forehead, corners of the eyes, bridge and tip of the nose, temples.
RIGID = (10, 151, 33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 127, 356, 234, 454)
ROUNDS = 3


@dataclass(frozen=True)
class Feature:
    """One length: how far one point, or the middle of some, is from others along an axis.

    Attributes
    ----------
    name
        For people.
    ends, starts
        Numbers of MediaPipe's points.
    axis
        0 to the person's left, 1 up.
    """

    name: str
    ends: tuple[int, ...]
    starts: tuple[int, ...]
    axis: int

    def __call__(self, points: Array) -> Array:
        """(F,) of (F, 468 or more, 3) points in the head's frame."""
        there, here = points[:, self.ends, self.axis], points[:, self.starts, self.axis]
        return there.mean(axis=1) - here.mean(axis=1)


FEATURES = (
    *(Feature(f"lid {side}", (up,), (low,), Y) for side, (up, low) in zip("RL", LIDS, strict=True)),
    Feature("inner brow R", (107,), (133,), Y),
    Feature("inner brow L", (336,), (362,), Y),
    Feature("outer brow R", (70,), (33,), Y),
    Feature("outer brow L", (300,), (263,), Y),
    Feature("mouth opening", (13,), (14,), Y),
    Feature("mouth width", (291,), (61,), X),
    Feature("corners' tilt", (291,), (61,), Y),
    Feature("mouth sideways", (61, 291, 13, 14), OUTER_CORNERS, X),
    Feature("chin sideways", (CHIN,), OUTER_CORNERS, X),
    Feature("mouth corners", (61, 291), (1,), Y),
    Feature("upper lip", (13,), (1,), Y),
    Feature("chin", (CHIN,), (1,), Y),
)


def in_head_frame(points: Array) -> Array:
    """Take pose, place and size away.

    Parameters
    ----------
    points
        (F, P, 3), P >= 468: x right in the picture, y up, z to the viewer, in any unit; finite.

    Returns
    -------
    The points turned, shifted and scaled so that what is rigid stays where it is on average: x from
    the right eye's outer corner to the left eye's, whose distance is 1 on average, and y up.
    """
    points = np.asarray(points, np.float64)
    mean = points[0, RIGID]
    still = points
    for _ in range(ROUNDS):
        still = _fitted(points, mean)
        mean = still[:, RIGID].mean(axis=0)
    middle = still.mean(axis=0)
    x = middle[OUTER_CORNERS[1]] - middle[OUTER_CORNERS[0]]
    unit = np.linalg.norm(x)
    x /= unit
    y = middle[FOREHEAD] - middle[CHIN]
    y -= (y @ x) * x
    y /= np.linalg.norm(y)
    return still @ np.stack([x, y, np.cross(x, y)], axis=1) / unit


def _fitted(points: Array, target: Array) -> Array:
    """(F, P, 3) points, moved by the similarities that bring what is rigid nearest to (R, 3)."""
    rigid = points[:, RIGID]
    middle = rigid.mean(axis=1, keepdims=True)
    spread = rigid - middle
    wanted = target - target.mean(axis=0)
    u, stretch, vt = np.linalg.svd(wanted.T @ spread)
    signs = np.ones_like(stretch)
    signs[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * signs[:, None]) @ vt
    scale = (stretch * signs).sum(axis=1) / (spread**2).sum(axis=(1, 2))
    return (points - middle) @ rotation.swapaxes(1, 2) * scale[:, None, None]


def features(points: Array) -> Array:
    """(F, 14) values of `FEATURES`, of points as `in_head_frame` takes them."""
    still = in_head_frame(points)
    return np.column_stack([feature(still) for feature in FEATURES])
