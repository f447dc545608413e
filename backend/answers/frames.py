"""A frame of a stream as it crosses the wire."""

from __future__ import annotations

import numpy as np

from backend.exchange import contract
from backend.tracking.live import LiveFrame


def frame_result(frame: LiveFrame) -> contract.FrameResult:
    """Name the faces' numbers as the wire does, in its precision."""
    seen = frame.seen
    return contract.FrameResult(
        time=frame.time,
        image_size=frame.image_size,
        numbers=seen.face.astype(np.int32),
        parameters=seen.parameters,
        roi_boxes=seen.boxes.corners.astype(np.float32),
        quaternions=frame.quaternions.astype(np.float32),
        scale=frame.scale.astype(np.float32),
        translation=frame.translation.astype(np.float32),
        expression=frame.expression.astype(np.float32),
        landmarks=seen.landmarks,
        confidence=seen.confidence,
        amounts=frame.keys.astype(np.float32),
        gaze=frame.gaze.astype(np.float32),
    )
