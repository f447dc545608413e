"""The faces of a stream, frame by frame: nothing of the future is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.engines.engine import Engine
from backend.exchange.expressions import EXPRESSION_NAMES
from backend.expressions.keyed_points import KeyedPoints
from backend.geometry.pose import blender_quaternions
from backend.morphable_model.model import N_EXPRESSION, MorphableModel
from backend.tracking.film_points import FilmPoints
from backend.tracking.history import History
from backend.tracking.live_performance import LivePerformance
from backend.tracking.one_euro import Cutoff, OneEuro, OneEuroRotation
from backend.tracking.refit import Poses, poses_of
from backend.tracking.sighting import Sighting
from backend.tracking.tracker import FaceTracker, Memory
from backend.vision.detection import FaceDetector

Array = NDArray[np.floating]

# A face that was away for longer begins anew.
FORGET_SECONDS = 0.5
# Cutoffs in hertz of a resting face, at the least and the most smoothing.
LEAST, MOST = 8.0, 0.5
# Hertz for a radian, a millimetre, a doubling of the scale (in logarithms), a standard deviation a
# second; for a whole key and a degree of the eyes a second, which jump: those are not to be late.
ROTATION, POSITION, SCALE, EXPRESSION = 4.0, 0.05, 10.0, 1.0
KEY, GAZE = 8.0, 0.2
# Faces whose rests are remembered.
REMEMBERED_FACES = 32


@dataclass(frozen=True)
class LiveFrame:
    """The N faces of a frame.

    Attributes
    ----------
    time
        Seconds.
    image_size
        (width, height).
    seen
        What was seen of them, never smoothed.
    quaternions
        (N, 4) w, x, y, z, Blender's frame.
    scale
        (N,) pixels per millimetre.
    translation
        (N, 3) the model's origin, image frame.
    expression
        (N, 10) standard deviations.
    keys
        (N, 52), or (N, 0) if the 52 expressions are not on this computer.
    gaze
        (N, 4) degrees as in `track.Track`, or (N, 0).
    """

    time: float
    image_size: tuple[int, int]
    seen: History
    quaternions: Array
    scale: Array
    translation: Array
    expression: Array
    keys: Array
    gaze: Array


class LiveTracker:
    """Follows the faces of one stream.

    Parameters
    ----------
    model
        The morphable model.
    engine
        Runs the network.
    detector
        Finds faces.
    smoothing
        From 0, raw values, to 1.
    points
        MediaPipe's points on the mean head; None leaves the 52 keys out.
    """

    def __init__(
        self,
        model: MorphableModel,
        engine: Engine,
        detector: FaceDetector,
        smoothing: float = 0.0,
        points: KeyedPoints | None = None,
    ) -> None:
        self._points = points
        self._film = FilmPoints(detector.film)
        self._performances: dict[int, LivePerformance] = {}
        self._model = model
        # A search with all means takes seconds, for which a stream has no time.
        self._tracker = FaceTracker(engine, detector, Memory(thorough_at=np.inf))
        self._smoothing = smoothing
        self._smoothers: dict[int, _Smoother] = {}

    def frame(self, image: NDArray[np.uint8], time: float) -> LiveFrame:
        """Find the faces of the next frame.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.
        time
            Seconds; later than the last frame's.
        """
        seen = sorted(self._tracker.step(image, time).items())
        history = History.of([(0, number, sighting) for number, sighting in seen])
        poses = poses_of(history, self._model)
        keys, gaze = self._performed(image, time, dict(seen), poses)
        height, width = image.shape[:2]
        frame = LiveFrame(
            time=time,
            image_size=(width, height),
            seen=history,
            quaternions=blender_quaternions(poses.pose.rotation),
            scale=np.asarray(poses.pose.scale),
            translation=poses.pose.translation,
            expression=poses.expression,
            keys=keys,
            gaze=gaze,
        )
        return self._smoothed(frame) if self._smoothing else frame

    def _performed(
        self, image: NDArray[np.uint8], time: float, seen: dict[int, Sighting], poses: Poses
    ) -> tuple[Array, Array]:
        """(N, 52) and (N, 4), or no columns."""
        if self._points is None or not seen:
            columns = (0, 0) if self._points is None else (len(EXPRESSION_NAMES), 4)
            return np.zeros((len(seen), columns[0])), np.zeros((len(seen), columns[1]))
        boxes = {face: sighting.next_box for face, sighting in seen.items()}
        read = self._film.read(image, boxes, time)
        known = {face: self._performances.get(face) for face in seen}
        # A face that is gone comes back under its number within half a second, or never.
        self._performances |= {
            face: LivePerformance(self._points) for face, one in known.items() if one is None
        }
        if len(self._performances) > REMEMBERED_FACES:
            self._performances = {face: self._performances[face] for face in seen}
        found = [
            self._performances[face].frame(
                read[face], poses.expression[row], poses.pose.rotation[row, 2], time
            )
            for row, face in enumerate(seen)
        ]
        return np.stack([k for k, _ in found]), np.stack([g.ravel() for _, g in found])

    def _smoothed(self, frame: LiveFrame) -> LiveFrame:
        values = 4 + N_EXPRESSION + frame.keys.shape[1] + frame.gaze.shape[1]
        smoothers = {
            number: self._smoother(number, frame.time, float(scale), values)
            for number, scale in zip(frame.seen.face.tolist(), frame.scale, strict=True)
        }
        self._smoothers = {
            number: smoother
            for number, smoother in (self._smoothers | smoothers).items()
            if frame.time - smoother.time <= FORGET_SECONDS or number in smoothers
        }
        if not smoothers:
            return frame
        motions = np.column_stack(
            [np.log(frame.scale), frame.translation, frame.expression, frame.keys, frame.gaze]
        )
        rotations, vectors = [], []
        for row, smoother in enumerate(smoothers.values()):
            rotations.append(smoother.rotation(frame.quaternions[row], frame.time))
            vectors.append(smoother.motion(motions[row], frame.time))
            smoother.time = frame.time
        motion = np.asarray(vectors)
        return replace(
            frame,
            quaternions=np.asarray(rotations),
            scale=np.exp(motion[:, 0]),
            translation=motion[:, 1:4],
            expression=motion[:, 4 : 4 + N_EXPRESSION],
            keys=motion[:, 4 + N_EXPRESSION : 4 + N_EXPRESSION + frame.keys.shape[1]],
            gaze=motion[:, 4 + N_EXPRESSION + frame.keys.shape[1] :],
        )

    def _smoother(self, number: int, time: float, scale: float, values: int) -> _Smoother:
        known = self._smoothers.get(number)
        if known is not None and time - known.time <= FORGET_SECONDS:
            return known
        return _Smoother(self._smoothing, scale, time, values)


class _Smoother:
    """The filters of one face, which was `scale` pixels a millimetre large at first.

    Its motion has so many `values`: with the keys or without.
    """

    def __init__(self, smoothing: float, scale: float, time: float, values: int) -> None:
        resting = LEAST * (MOST / LEAST) ** smoothing
        pose = [SCALE, *[POSITION / scale] * 3]
        face = [EXPRESSION] * N_EXPRESSION + [KEY] * len(EXPRESSION_NAMES) + [GAZE] * 4
        slopes = (pose + face)[:values]
        self.rotation = OneEuroRotation(Cutoff(resting, ROTATION))
        self.motion = OneEuro(Cutoff(resting, np.array(slopes)))
        self.time = time
