"""Clips: frames with the times at which they are shown; `vision.opening` opens them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError

# Faces need no more pixels than that; larger frames are shrunk as they are decoded.
MAX_SIDE = 2560
# Frames that are decoded ahead of their use, so that both go on at the same time.
AHEAD = 4
IDLE_SECONDS = 0.2


@dataclass(frozen=True)
class ClipInfo:
    """A clip as it is seen.

    Attributes
    ----------
    width, height
        Pixels of the picture as it is shown: turned, and with square pixels, as the file says.
    frame_rate
        Frames a second where there is no pause, by the file. Times are exact where the rate
        varies; this is not.
    source
        The file or image sequence, as it was named.
    """

    width: int
    height: int
    frame_rate: float
    source: str

    @property
    def decoded_scale(self) -> float:
        """Pixels of a `Frame` per pixel of the clip: less than 1 for large clips."""
        return min(1.0, MAX_SIDE / max(self.width, self.height))

    @property
    def decoded_size(self) -> tuple[int, int]:
        """Width and height of a `Frame`."""
        scale = self.decoded_scale
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))


@dataclass(frozen=True)
class Frame:
    """One picture of a clip.

    Attributes
    ----------
    number
        In the order of showing, 0 is the clip's first.
    time
        Seconds since the clip's first frame.
    image
        (H, W, 3) uint8 RGB; shrunk to `MAX_SIDE` if the clip is larger.
    """

    number: int
    time: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Range:
    """Part of a clip: seconds since its first frame, both ends included.

    Raises
    ------
    BadInputError
        The range is empty.
    """

    start: float = 0.0
    end: float = float("inf")

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise BadInputError(
                f"The part from {self.start:g} to {self.end:g} seconds is empty.",
                "Give an in point of at least 0 and a later out point.",
            )

    def share(self, time: float, duration: float) -> float:
        """Tell how much of the range lies before a time, 0 to 1; 0 if the duration (inf) is
        unknown.
        """
        length = min(self.end, duration) - self.start
        return float(np.clip((time - self.start) / length, 0, 1)) if 0 < length < np.inf else 0.0


class Clip(Protocol):
    """Something that has frames.

    Attributes
    ----------
    info
        What is known before decoding.
    duration
        Seconds, by the file, which may be wrong; inf if it does not say.
    skipped
        Frames so far that could not be decoded.
    """

    info: ClipInfo
    duration: float
    skipped: int

    def frames(self, part: Range) -> Generator[Frame]:
        """Return frames of a part, in the order of showing, each decoded when it is asked for.

        Raises
        ------
        BadInputError
            The clip has no frame that can be decoded.
        """
        ...


def read_ahead(
    frames: Generator[Frame], idle: Callable[[], None] = lambda: None, depth: int = AHEAD
) -> Generator[Frame]:
    """Yield the same frames, taken from `frames` by another thread, `depth` of them in advance.

    Errors of `frames` come out where they occurred. Closing the iterator ends the thread.

    Parameters
    ----------
    idle
        Called several times a second while a frame is awaited; may raise to stop.
    """
    waiting: queue.Queue[Frame | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Frame | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=IDLE_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            with closing(frames):
                if all(put(frame) for frame in frames):
                    put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=work, name="decoder", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = waiting.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                idle()
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
