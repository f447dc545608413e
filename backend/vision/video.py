"""Video files: frames as players show them, at their times, upright, in one size."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.vision.clip import ClipInfo, Frame, Range
from backend.vision.film_colors import ScreenColors
from backend.vision.film_container import (
    FrameMemory,
    duration,
    longest_gap,
    nominal_rate,
    open_container,
    shown_stream,
    use_threads,
)
from backend.vision.film_times import Timeline
from backend.vision.framing import UPRIGHT, Size, Turn, largest_within, letterboxed
from backend.vision.images import MAX_PIXELS

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.container import InputContainer

# Times closer than this are the same, in seconds.
SAME_TIME = 1e-5


class VideoFile:
    """A video file.

    Parameters
    ----------
    path
        The file; of several video streams the default one is taken, of several of these the
        largest.

    Raises
    ------
    BadInputError
        There is no such file, it is no video or truncated so that it cannot be read, it holds no
        pictures, or their codec is unknown.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.skipped = 0
        with open_container(path) as container:
            stream = shown_stream(container, path)
            first = self._first_frame(container, stream)
            self._needs = FrameMemory.of(first)
            size = _Shape(stream).shown_size(first)
            self.info = ClipInfo(*size, nominal_rate(stream), str(path))
            self.duration = duration(container, stream)

    def frames(self, part: Range) -> Generator[Frame]:
        """See `Clip.frames`.

        What comes before the part is decoded as well: jumping there would be faster, but many
        files do not lead to the right frame, and none of them tells its number.
        """
        self.skipped = 0
        with open_container(self._path) as container:
            stream = shown_stream(container, self._path)
            use_threads(stream, self._needs)
            timeline = Timeline(_tick(stream), self.info.frame_rate, longest_gap(container))
            shape, colors = _Shape(stream), ScreenColors()
            for number, frame in enumerate(self._decoded(container, stream)):
                shape.notice(frame)
                time = timeline.next(frame.pts, frame.dts)
                if time > part.end + SAME_TIME:
                    return
                if time >= part.start - SAME_TIME:
                    yield Frame(number, time, self._picture(frame, shape, colors))

    def _first_frame(self, container: InputContainer, stream: VideoStream) -> VideoFrame:
        for frame in self._decoded(container, stream):
            return frame
        raise BadInputError(
            f"{self._path} has no frame that can be decoded: it is empty, damaged, or its pictures "
            f"have more than {MAX_PIXELS // 10**6} million pixels.",
            "Copy or download it again, or export it in a smaller size.",
            code="no-frames",
        )

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Yield frames in the order of showing; those that are damaged beyond use are counted."""
        from av.error import FFmpegError

        for packet in self._packets(container, stream):
            try:
                decoded = stream.codec_context.decode(packet)
            except FFmpegError:
                self.skipped += 1
                continue
            usable = [frame for frame in decoded if not frame.is_corrupt]
            self.skipped += len(decoded) - len(usable)
            yield from usable

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet | None]:
        """Yield all that can be decoded, and None, which asks for the frames that a decoder still
        has.
        """
        from av.error import FFmpegError

        last: Packet | None = None
        packets = container.demux(stream)
        while True:
            try:
                packet = next((p for p in packets if p.size), None)
            except FFmpegError:
                # The file ends in the middle of something.
                self.skipped += 1
                packet = None
            if packet is None:
                break
            if last is not None:
                yield last
            last = packet
        if last is not None and last.is_corrupt:
            # Half of it is missing. Decoders with threads lose the frames before as well.
            self.skipped += 1
        elif last is not None:
            yield last
        yield None

    def _picture(self, frame: VideoFrame, shape: _Shape, colors: ScreenColors) -> NDArray[np.uint8]:
        """Return (H, W, 3) RGB, upright, in the size of decoded frames."""
        room, turn = self.info.decoded_size, shape.turn(frame)
        size = largest_within(shape.shown_size(frame), room)
        return letterboxed(turn.shown(colors.picture(frame, turn.size(size))), room)


class _Shape:
    """How a film's frames are turned, and how wide their pixels are.

    The container says the latter for all of a film, or else the film itself, which may change it.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._film = stream.codec_context
        self._said = self._film.sample_aspect_ratio
        self._aspect = stream.sample_aspect_ratio
        self._turns: dict[int, Turn] = {}

    def notice(self, frame: VideoFrame) -> None:
        """Take in the next frame; pixels change with frames that need no other ones."""
        # The decoder knows of the change some frames before it comes out.
        if frame.key_frame and self._film.sample_aspect_ratio != self._said:
            self._aspect = self._said = self._film.sample_aspect_ratio

    def turn(self, frame: VideoFrame) -> Turn:
        """Tell how a frame comes upright."""
        if frame.rotation not in self._turns:
            self._turns[frame.rotation] = _turn(frame)
        return self._turns[frame.rotation]

    def shown_size(self, frame: VideoFrame) -> Size:
        """Return the width and height with square pixels, turned upright."""
        aspect = float(self._aspect or 1)
        width = max(1, round(frame.width * (aspect if aspect > 0 else 1)))
        return self.turn(frame).size((width, frame.height))


def _turn(frame: VideoFrame) -> Turn:
    """Tell how a frame comes upright; other angles than quarters are not shown."""
    # A frame that was asked for side data keeps its memory until Python looks for circles.
    small = frame.reformat(16, 16, "gray")
    try:
        matrix: Any = small.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV reads no side data at all of a frame with a kind that it does not know.
        return Turn.of_degrees(frame.rotation)
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32).tolist()
    return Turn.of_matrix((a, b, c, d))


def _tick(stream: VideoStream) -> Fraction:
    return Fraction(stream.time_base or Fraction(1, 90_000))
