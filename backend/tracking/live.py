"""The faces of a stream, frame by frame: nothing of the future is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backend.engines.engine import Engine
from backend.exchange import contract
from backend.geometry.pose import blender_quaternions
from backend.morphable_model.model import MorphableModel
from backend.tracking.history import History
from backend.tracking.one_euro import Cutoff, OneEuro, OneEuroRotation
from backend.tracking.refit import poses_of
from backend.tracking.tracker import FaceTracker, Memory
from backend.vision.detection import FaceDetector

# A face that was away for longer begins anew.
FORGET_SECONDS = 0.5
# Cutoffs in hertz of a resting face, at the least and the most smoothing.
LEAST, MOST = 8.0, 0.5
# Hertz for a radian, a millimetre, a doubling of the scale (in logarithms), a standard deviation a
# second.
ROTATION, POSITION, SCALE, EXPRESSION = 4.0, 0.05, 10.0, 1.0


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

    def frame(self, image: NDArray[np.uint8], time: float) -> contract.FrameResult:
        """Faces of the next frame.

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
        middle, half = history.box[:, :2], history.box[:, 2:3] / 2
        height, width = image.shape[:2]
        result = contract.FrameResult(
            time=time,
            image_size=(width, height),
            numbers=history.face.astype(np.int32),
            parameters=history.parameters,
            roi_boxes=np.hstack([middle - half, middle + half]).astype(np.float32),
            quaternions=blender_quaternions(poses.rotation).astype(np.float32),
            scale=poses.scale.astype(np.float32),
            translation=poses.translation.astype(np.float32),
            expression=poses.expression.astype(np.float32),
            landmarks=history.landmarks,
            confidence=history.confidence,
        )
        return self._smoothed(result) if self._smoothing else result

    def _smoothed(self, result: contract.FrameResult) -> contract.FrameResult:
        smoothers = {
            number: self._smoother(number, result.time, float(scale))
            for number, scale in zip(result.numbers.tolist(), result.scale, strict=True)
        }
        self._smoothers = {
            number: smoother
            for number, smoother in (self._smoothers | smoothers).items()
            if result.time - smoother.time <= FORGET_SECONDS or number in smoothers
        }
        motions = np.column_stack([np.log(result.scale), result.translation, result.expression])
        rotations, vectors = [], []
        for row, smoother in enumerate(smoothers.values()):
            rotations.append(smoother.rotation(result.quaternions[row], result.time))
            vectors.append(smoother.motion(motions[row], result.time))
            smoother.time = result.time
        if not vectors:
            return result
        motion = np.asarray(vectors, np.float32)
        return replace(
            result,
            quaternions=np.asarray(rotations, np.float32),
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
        slopes = [SCALE, *[POSITION / scale] * 3, *[EXPRESSION] * contract.N_EXPRESSIONS]
        self.rotation = OneEuroRotation(Cutoff(resting, ROTATION))
        self.motion = OneEuro(Cutoff(resting, np.array(slopes)))
        self.time = time
