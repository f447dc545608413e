"""How much of the 52 keys a single photo shows, read from MediaPipe's points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.exchange.expressions import EXPRESSIONS
from backend.expressions.evidence import evidence
from backend.expressions.keyed_points import KeyedPoints
from backend.expressions.solve import bounded_least_squares
from backend.tracking.gaze import EYES, gaze_keys, measured_gaze
from backend.tracking.head_frame import aligned
from backend.tracking.performance import UNSEEN
from backend.tracking.rest import Rest
from backend.tracking.rest_faces import RestFaces

Array = NDArray[np.floating]

# What remains of the evidence besides the people's own rest, in its unit: MediaPipe's noise, and
# what no key can say.
NOISE = 2.0
# What a key costs, and its square: small ones stay 0.
COST, SQUARE_COST = 3.0, 0.1
AHEAD = np.array([0.0, 0.0, 1.0])
UP = np.array([1.0, -1.0, 1.0])


def photo_keys(seen: Array, points: KeyedPoints, people: RestFaces) -> NDArray[np.float64]:
    """Find the keys of somebody in one photo.

    Parameters
    ----------
    seen
        (478, 3) as detection has them: x right, y down, z to the viewer.
    points
        On the person's head.
    people
        How points lie on resting faces.

    Returns
    -------
    (52,) from 0 to 1, in the order of `EXPRESSION_NAMES`.
    """
    still = aligned(seen[None] * UP, points.neutral)
    rest = _looking_ahead(points.neutral + people.mean)
    looks = gaze_keys(np.nan_to_num(measured_gaze(still, rest, AHEAD)))

    rows = evidence(points.reliable)
    keys, modes, moved = (
        rows @ displacements.reshape(len(displacements), -1).T
        for displacements in (points.keys, people.modes, still - rest.points)
    )
    # The inverse of NOISE^2 + modes modes', by Woodbury's formula.
    inner = np.linalg.inv(NOISE**2 * np.eye(modes.shape[1]) + modes.T @ modes)
    weighed = (keys - modes @ (inner @ (modes.T @ keys))) / NOISE**2
    gram = keys.T @ weighed + SQUARE_COST * np.eye(len(points.keys))
    lower = np.where(_OF_GAZE, looks, 0.0)
    upper = np.where(_OF_GAZE, looks, np.where(_UNSEEN, 0.0, 1.0))
    return bounded_least_squares(gram, moved.T @ weighed, lower, upper, COST)[0]


def _looking_ahead(points: Array) -> Rest:
    """A resting face whose irises are where they are in people who look into the camera."""
    points = points.copy()
    for eye in EYES:
        corners = points[[eye.outer, eye.inner]]
        width = abs(corners[0, 0] - corners[1, 0])
        points[eye.iris] = corners.mean(axis=0) + width * np.array([*eye.ahead, 0.0])
    return Rest(points, np.zeros(len(EXPRESSIONS)), np.ones(1))


_OF_GAZE = np.array([key.group == "gaze" for key in EXPRESSIONS])
_UNSEEN = np.array([key.name in UNSEEN for key in EXPRESSIONS])
