"""What a face does in every frame: the 52 keys and where the eyes look.

The network says where the head is. What the face does is read from MediaPipe's points, without the
head's motion and measured from the person's own rest. Where MediaPipe cannot read the face, the
network's expressions move the same points, and carry on from where MediaPipe left off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.exchange.expressions import EXPRESSION_NAMES, EXPRESSIONS
from backend.expressions.keyed_points import KeyedPoints
from backend.tracking.gaze import gaze_keys, measured_gaze
from backend.tracking.head_frame import aligned
from backend.tracking.history import History
from backend.tracking.refit import Poses
from backend.tracking.rest import LIDS, Rest, find_rest, given_rest, opening

Array = NDArray[np.floating]

N_KEYS = len(EXPRESSIONS)
# Frames of which the rest is found, at most, evenly over the clip.
SAMPLE = 400
# Frames that are worked on at once.
CHUNK = 256
# Seconds around a given time in which a face is neutral.
NEUTRAL_SECONDS = 0.12
# Seconds in which what MediaPipe said last, or says next, fades into what the network says.
FADE_SECONDS = 0.25
# The points say nothing of these: they always stay 0.
UNSEEN = ("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "jawForward", "noseSneerLeft",
          "noseSneerRight", "tongueOut")  # fmt: skip
# How much further than seen lids go at most, for eyes to shut.
MOST_WIDER = 1.2
UP = np.array([1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Performance:
    """What the face of N sightings does.

    Attributes
    ----------
    keys
        (N, 52) from 0 to 1, in the order of `EXPRESSION_NAMES`.
    gaze
        (N, 2, 2) degrees against the head: right eye and left eye, each to the person's left and
        up.
    """

    keys: NDArray[np.float64]
    gaze: NDArray[np.float64]


def perform(
    history: History,
    times: Array,
    poses: Poses,
    points: KeyedPoints,
    neutral_time: float | None = None,
) -> Performance:
    """Find what a person's face does in N sightings.

    Parameters
    ----------
    history
        Of one person.
    times
        (N,) seconds of the sightings.
    poses
        Of the sightings.
    points
        Where MediaPipe's points are on the person's head.
    neutral_time
        When the face is neutral, seconds; None finds the rest by itself.
    """
    read = history.read
    told = _told_by_network(times, poses, points, neutral_time)
    if not read.any():
        return Performance(told, np.zeros((len(times), 2, 2)))
    rest, camera = _rest(history, times, poses, points, read, neutral_time)
    keys, gaze = np.full((len(times), N_KEYS), np.nan), np.full((len(times), 2, 2), np.nan)
    for rows in _chunks(np.flatnonzero(read)):
        still = aligned(history[rows].points * UP, rest.points)
        keys[rows], gaze[rows] = read_points(still, rest, points, camera)
    looked = _filled(gaze, times)
    # Of eyes that nobody sees, the keys follow the directions.
    keys = np.where(_OF_GAZE, gaze_keys(looked), keys)
    return Performance(_carried_on(keys, told, read, times), looked)


def read_points(
    still: Array, rest: Rest, points: KeyedPoints, toward_camera: Array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keys and gaze of faces that MediaPipe could read.

    Parameters
    ----------
    still
        (F, 478, 3) MediaPipe's points, aligned with the rest.
    toward_camera
        (3,) from the head to the camera while the face rests, model frame.

    Returns
    -------
    (F, 52), and (F, 2, 2) degrees, NaN where lids hide the irises.
    """
    gaze = measured_gaze(still, rest, toward_camera)
    looks = gaze_keys(np.nan_to_num(gaze))
    moved = still - rest.points + np.tensordot(rest.keys, points.keys, 1)
    lower = np.where(_OF_GAZE, looks, 0.0)
    upper = np.where(_OF_GAZE, looks, np.where(_UNSEEN, 0.0, 1.0))
    keys = points.solve(moved, lower, upper)
    for key, pair in _BLINKS:
        # Who has narrower eyes than the model says shuts them by a shorter way, but whole.
        wider = float(opening(points.neutral, pair)) / max(float(opening(rest.points, pair)), 1e-6)
        keys[:, key] *= np.clip(wider, 1, MOST_WIDER)
    return np.clip(keys, 0, 1), gaze


def _rest(
    history: History,
    times: Array,
    poses: Poses,
    points: KeyedPoints,
    read: NDArray[np.bool_],
    neutral_time: float | None,
) -> tuple[Rest, NDArray[np.float64]]:
    """Return the person's rest, and (3,) where the camera is from the head meanwhile."""
    rows = _sample(times, read, neutral_time)
    seen = history[rows].points * UP
    if neutral_time is None:
        rest = find_rest(seen, points.neutral, points.keys)
    else:
        rest = given_rest(seen, points.neutral)
    # The third row of a rotation is the camera's direction in the head's own frame.
    camera = np.average(poses.pose.rotation[rows, 2], axis=0, weights=rest.weights + 1e-9)
    return rest, camera


def _sample(times: Array, read: NDArray[np.bool_], neutral_time: float | None) -> NDArray[np.intp]:
    """Rows to find the rest in."""
    rows = np.flatnonzero(read)
    if neutral_time is None:
        return rows[np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(int)]
    apart = np.abs(times[rows] - neutral_time)
    return rows[apart <= max(NEUTRAL_SECONDS, float(apart.min()))]


def _told_by_network(
    times: Array, poses: Poses, points: KeyedPoints, neutral_time: float | None
) -> NDArray[np.float64]:
    """(N, 52) the keys by the network's own expressions, which know no lids and no eyes."""
    rows = _sample(times, np.ones(len(times), bool), neutral_time)
    seen = _expressed(poses.expression[rows], points)
    if neutral_time is None:
        rest = find_rest(seen, points.neutral, points.keys)
    else:
        rest = given_rest(seen, points.neutral)
    shown = np.tensordot(rest.keys, points.keys, 1)
    upper = np.where(_OF_NETWORK, 1.0, 0.0)
    told = np.zeros((len(times), N_KEYS))
    for chunk in _chunks(np.arange(len(times))):
        still = aligned(_expressed(poses.expression[chunk], points), rest.points)
        told[chunk] = points.solve(still - rest.points + shown, np.zeros(N_KEYS), upper)
    return told


def told_keys(expression: Array, points: KeyedPoints) -> NDArray[np.float64]:
    """(F, 52) the keys by the network's own expressions (F, 10), measured from the model's rest."""
    upper = np.where(_OF_NETWORK, 1.0, 0.0)
    return points.solve(_expressed(expression, points) - points.neutral, np.zeros(N_KEYS), upper)


def _expressed(expression: Array, points: KeyedPoints) -> Array:
    """(F, 478, 3) the points of heads with the model's own expressions (F, 10)."""
    return points.neutral + np.tensordot(expression, points.expression, 1)


def _filled(gaze: NDArray[np.float64], times: Array) -> NDArray[np.float64]:
    """(N, 2, 2) with straight lines through what was not seen."""
    seen = np.isfinite(gaze[:, 0, 0])
    if not seen.any():
        return np.zeros_like(gaze)
    columns = gaze.reshape(len(gaze), -1)
    filled = [np.interp(times, times[seen], column[seen]) for column in columns.T]
    return np.stack(filled, axis=1).reshape(gaze.shape)


def _carried_on(
    keys: Array, told: Array, read: NDArray[np.bool_], times: Array
) -> NDArray[np.float64]:
    """(N, 52) keys, where they were not read those of the network, without a jump.

    What both differ by at the last frame that was read, and at the next one, fades.
    """
    unread = np.flatnonzero(~read)
    seen = np.flatnonzero(read)
    after = np.searchsorted(seen, unread)
    carried = told[unread].copy()
    near = np.zeros((len(unread), 1))
    shift = np.zeros((len(unread), N_KEYS))
    for index, there in ((after - 1, after > 0), (after, after < len(seen))):
        row = seen[np.clip(index, 0, len(seen) - 1)]
        share = np.exp(-np.abs(times[unread] - times[row]) / FADE_SECONDS) * there
        shift += share[:, None] * (keys[row] - told[row])
        near += share[:, None]
    carried += shift / np.maximum(near, 1)
    whole = np.where(_OF_GAZE, keys, 0.0)
    whole[seen] = keys[seen]
    whole[unread] = np.where(_OF_GAZE, keys[unread], np.clip(carried, 0, 1))
    return whole


def _chunks(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


_BLINKS = [
    (EXPRESSION_NAMES.index(name), pair)
    for name, pair in zip(("eyeBlinkRight", "eyeBlinkLeft"), LIDS, strict=True)
]
_OF_GAZE = np.array([key.group == "gaze" for key in EXPRESSIONS])
_UNSEEN = np.array([key.name in UNSEEN for key in EXPRESSIONS])
_OF_NETWORK = np.array([key.group in ("mouth", "brows") for key in EXPRESSIONS]) & ~_UNSEEN
