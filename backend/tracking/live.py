"""The faces of a stream, frame by frame: nothing of the future is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.engines.engine import Engine
from backend.geometry.pose import blender_quaternions
from backend.morphable_model.model import N_EXPRESSION, MorphableModel
from backend.tracking.history import History
from backend.tracking.one_euro import Cutoff, OneEuro, OneEuroRotation
from backend.tracking.refit import poses_of
from backend.tracking.tracker import FaceTracker, Memory
from backend.vision.detection import FaceDetector

Array = NDArray[np.floating]

# A face that was away for longer begins anew.
FORGET_SECONDS = 0.5
# Cutoffs in hertz of a resting face, at the least and the most smoothing.
LEAST, MOST = 8.0, 0.5
# Hertz for a radian, a millimetre, a doubling of the scale (in logarithms), a standard deviation a
# second.
ROTATION, POSITION, SCALE, EXPRESSION = 4.0, 0.05, 10.0, 1.0


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
    """

    time: float
    image_size: tuple[int, int]
    seen: History
    quaternions: Array
    scale: Array
    translation: Array
    expression: Array


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
    """

    def __init__(
        self, model: MorphableModel, engine: Engine, detector: FaceDetector, smoothing: float = 0.0
    ) -> None:
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
        height, width = image.shape[:2]
        frame = LiveFrame(
            time=time,
            image_size=(width, height),
            seen=history,
            quaternions=blender_quaternions(poses.pose.rotation),
            scale=np.asarray(poses.pose.scale),
            translation=poses.pose.translation,
            expression=poses.expression,
        )
        return self._smoothed(frame) if self._smoothing else frame

    def _smoothed(self, frame: LiveFrame) -> LiveFrame:
        smoothers = {
            number: self._smoother(number, frame.time, float(scale))
            for number, scale in zip(frame.seen.face.tolist(), frame.scale, strict=True)
        }
        self._smoothers = {
            number: smoother
            for number, smoother in (self._smoothers | smoothers).items()
            if frame.time - smoother.time <= FORGET_SECONDS or number in smoothers
        }
        if not smoothers:
            return frame
        motions = np.column_stack([np.log(frame.scale), frame.translation, frame.expression])
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
            expression=motion[:, 4:],
        )

    def _smoother(self, number: int, time: float, scale: float) -> _Smoother:
        known = self._smoothers.get(number)
        if known is not None and time - known.time <= FORGET_SECONDS:
            return known
        return _Smoother(self._smoothing, scale, time)


class _Smoother:
    """The filters of one face, which was `scale` pixels a millimetre large at first."""

    def __init__(self, smoothing: float, scale: float, time: float) -> None:
        resting = LEAST * (MOST / LEAST) ** smoothing
        slopes = [SCALE, *[POSITION / scale] * 3, *[EXPRESSION] * N_EXPRESSION]
        self.rotation = OneEuroRotation(Cutoff(resting, ROTATION))
        self.motion = OneEuro(Cutoff(resting, np.array(slopes)))
        self.time = time
