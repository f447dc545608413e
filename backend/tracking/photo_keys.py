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


class PhotoKeys:
    """Reads photos; made once.

    Parameters
    ----------
    points
        Where MediaPipe's points are on heads.
    people
        Where they are on resting faces.
    """

    def __init__(self, points: KeyedPoints, people: RestFaces) -> None:
        self._points, self._people = points, people
        rows = evidence(points.reliable)
        keys = rows @ points.keys.reshape(len(points.keys), -1).T.astype(np.float64)
        modes = rows @ people.modes.reshape(len(people.modes), -1).T
        # The inverse of NOISE^2 + modes modes', by Woodbury's formula.
        inner = np.linalg.inv(NOISE**2 * np.eye(modes.shape[1]) + modes.T @ modes)
        weighed = (keys - modes @ (inner @ (modes.T @ keys))) / NOISE**2
        self._gram = keys.T @ weighed + SQUARE_COST * np.eye(keys.shape[1])
        self._to_keys = rows.T @ weighed

    def read(self, points: Array, alpha_shape: Array) -> NDArray[np.float64]:
        """Find the keys of people, each in one photo.

        Parameters
        ----------
        points
            (F, 478, 3) as detection has them: x right, y down, z to the viewer.
        alpha_shape
            (F, 40) the people's shapes.

        Returns
        -------
        (F, 52) from 0 to 1, in the order of `EXPRESSION_NAMES`.
        """
        moved = np.zeros((len(points), *self._people.mean.shape))
        looks = np.zeros((len(points), len(EXPRESSIONS)))
        for index, (seen, alpha) in enumerate(zip(points, alpha_shape, strict=True)):
            neutral = self._points.neutral(alpha)
            still = aligned(seen[None] * UP, neutral)
            rest = _looking_ahead(neutral + self._people.mean)
            moved[index] = still[0] - rest.points
            looks[index] = gaze_keys(np.nan_to_num(measured_gaze(still, rest, AHEAD)))[0]
        linear = moved.reshape(len(moved), -1) @ self._to_keys
        upper = np.where(_OF_GAZE, looks, np.where(_UNSEEN, 0.0, 1.0))
        lower = np.where(_OF_GAZE, looks, 0.0)
        return bounded_least_squares(self._gram, linear, lower, upper, COST)


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
