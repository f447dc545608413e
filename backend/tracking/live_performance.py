"""What a face does in a stream, whose future is not known: its rest is learned meanwhile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.expressions.keyed_points import KeyedPoints
from backend.tracking.head_frame import aligned
from backend.tracking.performance import FADE_SECONDS, UP, read_points, told_keys
from backend.tracking.rest import Rest, find_rest

Array = NDArray[np.floating]

# Frames are remembered that lie so many seconds apart, so many at most.
APART, REMEMBERED = 0.1, 150
# The rest is found anew after that many of them, and then each time as many more again.
FIRST, MORE = 1, 2.0
# Share by which the rest that is used goes towards a newer one with each frame: no frame shows it.
FOLLOW = 0.05


class LivePerformance:
    """One face of a stream.

    Parameters
    ----------
    points
        Where MediaPipe's points are on a head: on the mean one, because the rest makes up for what
        a person's differs.
    """

    def __init__(self, points: KeyedPoints) -> None:
        self._points = points
        self._kept: list[tuple[Array, Array]] = []
        self._camera = np.array([0.0, 0.0, 1.0])
        self._kept_at = -np.inf
        self._next = FIRST
        self._rest: Rest | None = None
        self._newer: Rest | None = None
        self._last: tuple[float, Array] | None = None
        self._gaze = np.zeros((2, 2))

    def frame(
        self, seen: Array, expression: Array, toward_camera: Array, time: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Keys and gaze in the next frame.

        Parameters
        ----------
        seen
            (478, 3) MediaPipe's points, image frame; NaN where it could not read the face.
        expression
            (10,) the network's, which carries on where MediaPipe fails.
        toward_camera
            (3,) from the head to the camera, model frame.
        time
            Seconds; later than the last frame's.

        Returns
        -------
        (52,), and (2, 2) degrees; see `performance.Performance`.
        """
        told = told_keys(expression[None], self._points)[0]
        if not np.isfinite(seen).all():
            return self._carried_on(told, time), self._gaze
        face = (seen * UP)[None]
        rest = self._learned(face[0], toward_camera, time)
        keys, gaze = read_points(aligned(face, rest.points), rest, self._points, self._camera)
        if np.isfinite(gaze).all():
            self._gaze = gaze[0]
        self._last = (time, keys[0] - told)
        return keys[0], self._gaze

    def _carried_on(self, told: Array, time: float) -> NDArray[np.float64]:
        if self._last is None:
            return told
        before, apart = self._last
        return np.clip(told + np.exp(-(time - before) / FADE_SECONDS) * apart, 0, 1)

    def _learned(self, face: Array, toward_camera: Array, time: float) -> Rest:
        if time - self._kept_at >= APART:
            self._kept_at = time
            self._kept = [*self._kept, (face, toward_camera)][-REMEMBERED:]
            if len(self._kept) == min(self._next, REMEMBERED):
                points = self._points
                faces = np.stack([face for face, _ in self._kept])
                self._newer = find_rest(faces, points.neutral, points.keys)
                cameras = np.stack([camera for _, camera in self._kept])
                self._camera = np.average(cameras, axis=0, weights=self._newer.weights + 1e-9)
                self._next = int(np.ceil(self._next * MORE))
        assert self._newer is not None
        if self._rest is None:
            self._rest = self._newer
        mixed = self._rest.points + FOLLOW * (self._newer.points - self._rest.points)
        keys = self._rest.keys + FOLLOW * (self._newer.keys - self._rest.keys)
        self._rest = Rest(mixed, keys, self._newer.weights)
        return self._rest
