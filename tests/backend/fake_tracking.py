"""Tracking that is small enough to see through, for tests of what lies around it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.exchange import contract
from backend.exchange.orders import ClipOrder

N_FRAMES = 4
GAP = 2


class FakeTracking:
    """Does what the clip's first bytes say.

    ``slow`` goes on until `release` is set, reporting progress; ``no clip`` fails, naming the file;
    ``crowd`` has more tracks than an answer holds.
    Every other clip has one track, and its length as frame rate. Streams count their frames, and
    wait for `frames_may_go`.
    """

    def __init__(self) -> None:
        self.release = threading.Event()
        self.slow_clips_started = threading.Semaphore(0)
        self.clips: list[tuple[Path, ClipOrder]] = []
        self.frames_may_go = threading.Event()
        self.frames_may_go.set()
        self.frames_begun = threading.Semaphore(0)

    def track(
        self, clip: Path, order: ClipOrder, progress: Callable[[float, str], None]
    ) -> contract.VideoResult:
        self.clips.append((clip, order))
        progress(0.0, "tracking")
        content = clip.read_bytes() if clip.is_file() else b"pictures"
        if content.startswith(b"no clip"):
            raise BadInputError(f"{clip} is not a video.", "Take another one.", code="not-a-video")
        if content.startswith(b"slow"):
            self.slow_clips_started.release()
            while not self.release.wait(0.005):
                progress(0.5, "tracking, 60 frames/s")
        return a_video(frame_rate=len(content), n_tracks=500 if content == b"crowd" else 1)

    def live_tracker(self, smoothing: float) -> FakeLiveTracker:
        return FakeLiveTracker(self, smoothing)


class FakeLiveTracker:
    """Answers with the number of the frame, the smoothing and the frame's first pixel."""

    def __init__(self, tracking: FakeTracking, smoothing: float) -> None:
        self._tracking = tracking
        self._smoothing = smoothing
        self._count = 0

    def frame(self, image: NDArray[np.uint8], time: float) -> contract.FrameResult:
        self._tracking.frames_begun.release()
        assert self._tracking.frames_may_go.wait(10)
        self._count += 1
        expression = np.zeros((1, 10), np.float32)
        expression[0, :2] = self._count, self._smoothing
        height, width = image.shape[:2]
        return contract.FrameResult(
            time=time,
            image_size=(width, height),
            numbers=np.zeros(1, np.int32),
            parameters=np.zeros((1, 62), np.float32),
            roi_boxes=np.array([[0, 0, width, height]], np.float32),
            quaternions=np.array([[1, 0, 0, 0]], np.float32),
            scale=np.ones(1, np.float32),
            translation=image[0, :1].astype(np.float32),
            expression=expression,
            landmarks=np.zeros((1, 68, 3), np.float32),
            confidence=np.ones(1, np.float32),
        )


def a_track(number: int = 0, n_vertices: int = 4) -> contract.VideoTrack:
    """Four frames, the third one a gap; every number another one."""
    rng = np.random.default_rng(number)

    def rows(*shape: int) -> NDArray[np.float32]:
        values = rng.standard_normal((N_FRAMES, *shape)).astype(np.float32)
        values[GAP] = np.nan
        return values

    confidence = np.full(N_FRAMES, 0.5, np.float32)
    confidence[GAP] = 0
    return contract.VideoTrack(
        number=number,
        neutral=rng.standard_normal((n_vertices, 3)).astype(np.float32),
        parameters=rows(62),
        roi_boxes=rows(4),
        quaternions=rows(4),
        scale=rows(),
        translation=rows(3),
        expression=rows(10),
        confidence=confidence,
        texture_png=np.frombuffer(b"\x89PNG" + b"x" * number, np.uint8),
    )


def a_video(frame_rate: float = 25.0, n_tracks: int = 1) -> contract.VideoResult:
    """Frames at uneven times, of a part that begins at frame 7."""
    return contract.VideoResult(
        tracks=tuple(a_track(number) for number in range(n_tracks)),
        times=np.array([0.28, 0.32, 0.40, 0.44]),
        frames=np.array([7, 8, 10, 11]),
        image_size=(640, 480),
        frame_rate=float(frame_rate),
    )
