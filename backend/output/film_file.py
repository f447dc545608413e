"""Films that we write: which kinds, and how pictures get into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path, require_room
from backend.errors import BadInputError
from backend.vision.film_colors import bt709_frame, tag_bt709

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import OutputContainer
    from av.filter import Graph
    from av.video.stream import VideoStream

Image = NDArray[np.uint8]
Write = Callable[[Image, float], None]

# A clock in which all usual frame rates come out whole.
CLOCK = Fraction(1, 90_000)
# GIF counts hundredths of a second, and browsers show what is shorter than two of them too long.
GIF_CLOCK = Fraction(1, 100)
GIF_TICKS = 3
# Longer side of a GIF, which would be as large as a film of an hour else.
GIF_SIDE = 640


@dataclass(frozen=True)
class Encoding:
    """How one kind of film is encoded.

    Attributes
    ----------
    codec, options
        FFmpeg's encoder, and what it is asked for.
    """

    codec: str
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


H264 = Encoding("libx264")
VP9 = Encoding("libvpx-vp9", {"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "crf": "31"})
ENCODINGS = {
    ".mp4": H264, ".m4v": H264, ".mov": H264, ".mkv": H264, ".webm": VP9, ".gif": Encoding("gif"),
}  # fmt: skip


def require_film(path: Path) -> None:
    """Raise unless a film of that name can be written.

    Raises
    ------
    BadInputError
        Its ending is none of `ENCODINGS`, the encoder is missing here, it is a folder, or its
        folder cannot be written to.
    """
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    encoding = ENCODINGS.get(path.suffix.lower())
    try:
        known = encoding is not None and Codec(encoding.codec, "w")
    except UnknownCodecError:
        known = False
    if not known:
        raise BadInputError(
            f"Cannot write a video to {path}.",
            f"Name a file that ends in {', '.join(ENCODINGS)}.",
            code="unknown-format",
        )
    if path.is_dir():
        raise BadInputError(f"{path} is a folder.", "Name a file.", code="is-folder")
    require_room(path.parent)


@contextmanager
def written_film(path: Path, size: tuple[int, int], frame_rate: float) -> Iterator[Write]:
    """Yield what adds a picture, shown from some second on, to a film.

    The file appears whole or not at all.

    Parameters
    ----------
    path
        Ends as one of `ENCODINGS`.
    size
        Width and height of the pictures. Sides of the film are even, a GIF is small.
    frame_rate
        Average frames a second. Times are kept; a GIF leaves frames out that come too fast for it.

    Raises
    ------
    BadInputError
        The file cannot be written.
    """
    import av

    encoding = ENCODINGS[path.suffix.lower()]
    rate = Fraction(frame_rate).limit_denominator(1001)
    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream(encoding.codec, rate, dict(encoding.options))
        assert isinstance(stream, av.VideoStream)
        # H.264 halves colours.
        stream.width, stream.height = (max(2, side // 2 * 2) for side in size)
        film = (_Gif if path.suffix.lower() == ".gif" else _Film)(container, stream)
        yield film.write
        film.end()


class _Film:
    """Frames in BT.709, at their own times."""

    def __init__(self, container: OutputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        tag_bt709(stream)
        # The encoder would round times to the average rate, and two frames to one time.
        stream.codec_context.time_base = CLOCK

    def write(self, picture: Image, seconds: float) -> None:
        frame = bt709_frame(picture[: self._stream.height, : self._stream.width])
        frame.pts, frame.time_base = round(seconds / CLOCK), CLOCK
        self._container.mux(self._stream.encode(frame))

    def end(self) -> None:
        self._container.mux(self._stream.encode(None))


class _Gif:
    """Small frames of 256 colours each, which are not too short."""

    def __init__(self, container: OutputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        shrink = min(1.0, GIF_SIDE / max(stream.width, stream.height))
        stream.width, stream.height = (
            max(2, round(side * shrink)) for side in (stream.width, stream.height)
        )
        stream.pix_fmt = "pal8"
        stream.codec_context.time_base = GIF_CLOCK
        self._colors = _colors(stream)
        self._next = 0

    def write(self, picture: Image, seconds: float) -> None:
        from av import VideoFrame

        at = round(seconds / GIF_CLOCK)
        if at < self._next:
            return
        self._next = at + GIF_TICKS
        size = self._stream.width, self._stream.height
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(small, np.uint8), "rgb24")
        frame.pts, frame.time_base = at, GIF_CLOCK
        self._colors.push(frame)
        self._encode(self._colors.vpull())

    def end(self) -> None:
        self._encode(None)

    def _encode(self, frame: VideoFrame | None) -> None:
        self._container.mux(self._stream.encode(frame))


def _colors(stream: VideoStream) -> Graph:
    """Chooses the colours of each frame from the frame itself."""
    from av import VideoFormat
    from av.filter import Graph

    graph = Graph()
    source = graph.add_buffer(
        width=stream.width,
        height=stream.height,
        format=VideoFormat("rgb24"),
        time_base=GIF_CLOCK,
    )
    split = graph.add("split")
    colors = graph.add("palettegen", "stats_mode=single")
    use = graph.add("paletteuse", "new=1:dither=bayer")
    sink = graph.add("buffersink")
    for one, other, output, input_ in (
        (source, split, 0, 0), (split, use, 0, 0), (split, colors, 1, 0), (colors, use, 0, 1),
        (use, sink, 0, 0),
    ):  # fmt: skip
        one.link_to(other, output, input_)
    graph.configure()
    return graph
