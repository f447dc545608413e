"""Video files: decoded by presentation timestamps, upright."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.vision.clip import ClipInfo, Frame, Range
from backend.vision.film_colors import matrix_of
from backend.vision.images import MAX_PIXELS, too_many_pixels

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter

# Containers of moving pictures. FFmpeg also knows playlists, which name other files and hosts.
CONTAINERS = (
    "3gp,apng,asf,avi,dv,flv,gif,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mp4,mpeg,mpegts,mpegvideo,"
    "mxf,nut,ogg,webm,wtv,yuv4mpegpipe"
)
DEFAULT_FRAME_RATE = 25.0
# Times closer than this are the same, in seconds.
SAME_TIME = 1e-5
# Times that fall by more than that begin anew, as in files that were put one behind the other: the
# frames go on from there.
RESTART_SECONDS = 1.0

_CONVERT = "Convert it to MP4 (H.264), for example with FFmpeg or HandBrake, and try again."


class VideoFile:
    """A video file.

    Parameters
    ----------
    path
        The file; its first video stream is taken.

    Raises
    ------
    BadInputError
        There is no such file, it is no video or truncated so that it cannot be read, it holds no
        pictures, or their codec is unknown.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.skipped = 0
        with _open(path) as container:
            stream = _video_stream(container, path)
            first = self._first_frame(container, stream)
            self._zero = first.pts or 0
            rate = stream.average_rate or stream.guessed_rate
            self.info = ClipInfo(
                *_shown_size(first, stream), float(rate or DEFAULT_FRAME_RATE), str(path)
            )
            self.duration = _duration(container, stream)

    def frames(self, part: Range) -> Generator[Frame]:
        """See `Clip.frames`.

        What comes before the part is decoded as well: jumping there would be faster, but many
        files do not lead to the right frame, and none of them tells its number.
        """
        from av.video.reformatter import VideoReformatter

        self.skipped = 0
        with _open(self._path) as container:
            stream = _video_stream(container, self._path)
            reformatter = VideoReformatter()
            for number, (time, frame) in enumerate(self._timed(container, stream)):
                if time > part.end + SAME_TIME:
                    return
                if time >= part.start - SAME_TIME:
                    yield Frame(number, time, self._picture(frame, reformatter))

    def _first_frame(self, container: InputContainer, stream: VideoStream) -> VideoFrame:
        for frame in self._decoded(container, stream):
            return frame
        raise BadInputError(
            f"{self._path} has no frame that can be decoded: it is empty or damaged.",
            "Copy or download it again.",
            code="no-frames",
        )

    def _timed(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple[float, VideoFrame]]:
        """Frames and their times, which never fall: frames that come too late are left out."""
        last = shift = 0.0
        for number, frame in enumerate(self._decoded(container, stream)):
            time = self._time(number, frame) + shift
            if time < last - RESTART_SECONDS:
                shift += last + 1 / self.info.frame_rate - time
                time = last + 1 / self.info.frame_rate
            if time < last:
                self.skipped += 1
                continue
            last = time
            yield time, frame

    def _time(self, number: int, frame: VideoFrame) -> float:
        """Seconds since the first frame."""
        if frame.pts is None or frame.time_base is None:
            # Raw streams have no times: their frames follow at the nominal rate.
            return number / self.info.frame_rate
        return float((frame.pts - self._zero) * frame.time_base)

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Frames in the order of showing; those that are damaged beyond use are counted."""
        from av.error import FFmpegError

        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError:
                # The file ends in the middle of something.
                self.skipped += 1
                return
            try:
                decoded = packet.decode()
            except FFmpegError:
                self.skipped += 1
                continue
            usable = [frame for frame in decoded if not frame.is_corrupt]
            self.skipped += len(decoded) - len(usable)
            yield from usable

    def _picture(self, frame: VideoFrame, reformatter: VideoReformatter) -> NDArray[np.uint8]:
        """(H, W, 3) RGB, upright, in the size of decoded frames."""
        size = self.info.decoded_size
        quarter_turns = _quarter_turns(frame)
        if quarter_turns % 2:
            size = size[::-1]
        smooth = "AREA" if size[0] < frame.width else "BILINEAR"
        rgb = reformatter.reformat(
            frame, *size, format="rgb24", src_colorspace=matrix_of(frame), interpolation=smooth
        )
        return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), quarter_turns), np.uint8)


def _open(path: Path) -> InputContainer:
    import av
    from av.error import FFmpegError

    try:
        if not path.is_file():
            raise BadInputError(
                f"There is no file {path}.", "Check its name and folder.", code="missing-file"
            )
        # Without "file:", a name like concat:a could be taken for another protocol.
        return av.open(
            f"file:{path}",
            options={"format_whitelist": CONTAINERS, "protocol_whitelist": "file"},
            # Titles and the like may be in any encoding; nobody reads them here.
            metadata_errors="replace",
        )
    except FFmpegError as error:
        raise BadInputError(
            f"{path} is not a video, or it is damaged or not complete.",
            f"Copy or download it again. {_CONVERT}",
            code="not-a-video",
        ) from error
    except OSError as error:
        raise BadInputError(
            f"Cannot read {path}: {error.strerror or error}.",
            "Check that you may open it.",
            code="unreadable",
        ) from error


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    # Sound files carry their cover as a video stream with one picture.
    streams = [s for s in container.streams.video if not int(s.disposition) & _cover()]
    if not streams:
        raise BadInputError(
            f"{path} has no pictures, only {_other_streams(container)}.",
            "Choose a file with video.",
            code="no-video-stream",
        )
    stream = streams[0]
    # A stream whose codec FFmpeg lacks has no context, whatever the type says.
    if getattr(stream, "codec_context", None) is None:
        raise BadInputError(
            f"{path} is in a video format that cannot be decoded here.", _CONVERT, code="no-codec"
        )
    if stream.width * stream.height > MAX_PIXELS:
        raise too_many_pixels(str(path), (stream.width, stream.height))
    # The head of the file may say less than what comes.
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    stream.thread_type = "AUTO"
    return stream


def _cover() -> int:
    from av.stream import Disposition

    return int(Disposition.attached_pic)


def _other_streams(container: InputContainer) -> str:
    kinds = sorted({"sound" if s.type == "audio" else s.type for s in container.streams})
    return " and ".join(kinds) or "an empty container"


def _duration(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else float("inf")


def _shown_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height with square pixels, turned upright."""
    aspect = float(stream.sample_aspect_ratio or 1)
    width, height = round(frame.width * (aspect if aspect > 0 else 1)), frame.height
    return (height, width) if _quarter_turns(frame) % 2 else (width, height)


def _quarter_turns(frame: VideoFrame) -> int:
    """Anticlockwise turns that bring a frame upright; other angles than these are not shown."""
    return round(frame.rotation / 90) % 4
