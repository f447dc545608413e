"""Following all faces through a clip, frame by frame, while the next frames are decoded."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backend.engines.engine import Engine
from backend.tracking.best_views import BestViews
from backend.tracking.film_points import FaceFilm, FilmPoints
from backend.tracking.history import History
from backend.tracking.partial import PartialTracking, Progress
from backend.tracking.sighting import Sighting
from backend.tracking.tracker import FaceTracker, Memory
from backend.vision.clip import Clip, Frame, Range, read_ahead
from backend.vision.detection import FaceDetector

Float = NDArray[np.float32]
Report = Callable[[float, str], None]

# Frames after which sightings become rows of arrays, which take less memory, and are kept on disk.
STRETCH = 250
# Seconds after the last frame that was kept, where an interrupted work goes on.
JUST_AFTER = 1e-4


def follow(
    clip: Clip,
    part: Range,
    engine: Engine,
    detector: FaceDetector,
    partial: PartialTracking | None,
    report: Report,
    film: Callable[[], FaceFilm] | None = None,
) -> Progress:
    """Follow the faces of a clip to its end.

    Parameters
    ----------
    partial
        Where to go on from, and to keep progress.
    report
        Called with the share that is done and what is done; may raise to stop.
    film
        Makes what reads MediaPipe's points of a face; None reads none, which is quicker.

    Raises
    ------
    BadInputError
        The clip cannot be read, or `partial` not written.
    """
    begun = partial.load() if partial else None
    following = _Following(begun or NOTHING, engine, detector, FilmPoints(film) if film else None)
    start = part.start if begun is None else float(begun.times[-1]) + JUST_AFTER
    if start > part.end:
        return following.whole(clip.skipped)
    began, stage = time.perf_counter(), "following faces"

    def idle() -> None:
        report(part.share(following.time, clip.duration), stage)

    frames = closing(read_ahead(clip.frames(Range(start, part.end)), idle))
    with closing(following), frames as frames:
        for count, frame in enumerate(frames, start=1):
            following.step(frame)
            stage = f"following faces, {count / (time.perf_counter() - began):.0f} frames/s"
            idle()
            if count % STRETCH == 0:
                stretch = following.stretch(clip.skipped)
                if partial:
                    partial.save(stretch)
        return following.whole(clip.skipped)


NOTHING = Progress(np.zeros(0), np.zeros(0, np.int64), History.of([]), Memory(), {}, 0)


class _Following:
    """What was found so far, growing."""

    def __init__(
        self, begun: Progress, engine: Engine, detector: FaceDetector, points: FilmPoints | None
    ) -> None:
        self._tracker = FaceTracker(engine, detector, begun.memory)
        self._points = points
        self._views = BestViews(begun.views)
        self._stretches = [begun]
        self._row = len(begun.times)
        self._times: list[float] = []
        self._frames: list[int] = []
        self._fresh: list[tuple[int, int, Sighting]] = []
        self._read: list[Future[dict[int, Float]]] = []

    def close(self) -> None:
        """End the reading of points."""
        if self._points:
            self._points.close()

    @property
    def time(self) -> float:
        """Of the last frame."""
        return max(0.0, self._tracker.memory.time)

    def step(self, frame: Frame) -> None:
        """Take in the next frame."""
        seen = self._tracker.step(frame.image, frame.time)
        if self._points:
            boxes = {face: sighting.next_box for face, sighting in seen.items()}
            self._read.append(self._points.later(frame.image, boxes, frame.time))
        for face, sighting in seen.items():
            self._views.offer(frame.image, self._row, face, sighting)
            self._fresh.append((self._row, face, sighting))
        self._row += 1
        self._times.append(frame.time)
        self._frames.append(frame.number)

    def stretch(self, skipped: int) -> Progress:
        """What is new since the last stretch."""
        new = Progress(
            np.array(self._times, np.float64),
            np.array(self._frames, np.int64),
            History.of(self._fresh, self._points_of_fresh()),
            self._tracker.memory,
            dict(self._views.views),
            skipped,
        )
        self._times, self._frames, self._fresh, self._read = [], [], [], []
        # Views for which there are better ones by now are not to be held on to.
        self._stretches.append(replace(new, views={}))
        return new

    def _points_of_fresh(self) -> list[Float] | None:
        if not self._points:
            return None
        frames = [read.result() for read in self._read]
        first = self._row - len(frames)
        return [frames[row - first][face] for row, face, _ in self._fresh]

    def whole(self, skipped: int) -> Progress:
        """All of it."""
        last = self.stretch(skipped)
        return Progress.joined([*self._stretches[:-1], last])
