"""Film files: opened without harm, the stream that players show, and decoders of bounded memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import BadInputError
from backend.vision.film_times import LONGEST_GAP, LONGEST_PAUSE
from backend.vision.images import MAX_PIXELS, too_many_pixels

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer

# Containers of moving pictures. FFmpeg also knows playlists, which name other files and hosts.
CONTAINERS = (
    "3gp,apng,asf,avi,dv,flv,gif,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mp4,mpeg,mpegts,mpegvideo,"
    "mxf,nut,ogg,webm,wtv,yuv4mpegpipe"
)
DEFAULT_FRAME_RATE = 25.0
# Frames a second that a film can have; files that say anything else are wrong.
FRAME_RATES = (1e-3, 1e3)
# Bytes that all frames at which a decoder's threads are at work may take, one being as large as the
# film's first, and bytes of a pixel where they are not known.
DECODER_BYTES = 400 * 2**20
PIXEL_BYTES = 4
# FFmpeg starts no more threads on its own.
MAX_THREADS = 16

_CONVERT = "Convert it to MP4 (H.264), for example with FFmpeg or HandBrake, and try again."


def open_container(path: Path) -> InputContainer:
    """Open a film file, to be closed by whoever calls.

    Raises
    ------
    BadInputError
        There is no such file, it may not be read, or it is no film.
    """
    import av
    from av.container import Flags
    from av.error import FFmpegError

    try:
        if not path.is_file():
            raise BadInputError(
                f"There is no file {path}.", "Check its name and folder.", code="missing-file"
            )
        # Without "file:", a name like concat:a could be taken for another protocol.
        container = av.open(
            f"file:{path}",
            options={
                "format_whitelist": CONTAINERS,
                "protocol_whitelist": "file",
                "max_pixels": str(MAX_PIXELS),
            },
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
            "Check its permissions.",
            code="unreadable",
        ) from error
    # Where a file has no times, made-up ones would be believed.
    container.flags &= ~int(Flags.gen_pts.value)
    return container


def shown_stream(container: InputContainer, path: Path) -> VideoStream:
    """Find the stream that players show: the default one, of several the one with most pixels.

    Raises
    ------
    BadInputError
        There is none, it cannot be decoded, or its pictures are too large.
    """
    # Sound files carry their cover as a video stream with one picture.
    streams = [s for s in container.streams.video if not _is_cover(s)]
    if not streams:
        raise BadInputError(
            f"{path} has no pictures, only {_other_streams(container)}.",
            "Choose a file with video.",
            code="no-video-stream",
        )
    # A stream whose codec FFmpeg lacks has no context, whatever the type says.
    known = [s for s in streams if getattr(s, "codec_context", None) is not None]
    if not known:
        raise BadInputError(
            f"{path} is in a video format that cannot be decoded here.", _CONVERT, code="no-codec"
        )
    stream = max(known, key=lambda s: (_is_default(s), s.width * s.height))
    if stream.width * stream.height > MAX_PIXELS:
        raise too_many_pixels(str(path), (stream.width, stream.height))
    # The head of the file may say less than what comes.
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    # For the first frame; what further ones may use is known by then.
    stream.thread_count = 1
    return stream


@dataclass(frozen=True)
class FrameMemory:
    """What a decoded frame takes.

    Attributes
    ----------
    pixels
        Width times height.
    pixel_bytes
        Bytes of a pixel, over all planes.
    """

    pixels: int
    pixel_bytes: float

    @classmethod
    def of(cls, frame: VideoFrame) -> FrameMemory:
        """What a frame like this one takes."""
        bits = frame.format.padded_bits_per_pixel
        return cls(frame.width * frame.height, bits / 8 or PIXEL_BYTES)


def use_threads(stream: VideoStream, frame: FrameMemory) -> None:
    """Let as many threads decode frames of a size as the memory for them allows.

    Each thread has a frame of its own at work. With several of them, frames that grow too large
    for that in mid-film cannot be decoded.
    """
    affordable = int(DECODER_BYTES / (frame.pixels * frame.pixel_bytes))
    threads = max(1, min(affordable, MAX_THREADS, (os.cpu_count() or 1) + 1))
    stream.thread_count, stream.thread_type = threads, "AUTO"
    if threads > 1:
        most = max(frame.pixels, DECODER_BYTES // (threads * PIXEL_BYTES))
        stream.codec_context.options = {"max_pixels": str(min(most, MAX_PIXELS))}


def nominal_rate(stream: VideoStream) -> float:
    """Frames a second where there is no pause, as players guess it from all that the file says."""
    low, high = FRAME_RATES
    said = (stream.guessed_rate, stream.average_rate, stream.codec_context.framerate)
    rates = (float(rate) for rate in said if rate)
    return next((rate for rate in rates if low <= rate <= high), DEFAULT_FRAME_RATE)


def duration(container: InputContainer, stream: VideoStream) -> float:
    """Seconds, by the file, which may be wrong; inf if it does not say."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else float("inf")


def longest_gap(container: InputContainer) -> float:
    """Seconds between two frames that can be a pause."""
    from av.format import Flags

    jumps = container.format.flags & Flags.ts_discont.value
    return LONGEST_GAP if jumps else LONGEST_PAUSE


def _is_cover(stream: VideoStream) -> bool:
    from av.stream import Disposition

    return bool(int(stream.disposition) & int(Disposition.attached_pic))


def _is_default(stream: VideoStream) -> bool:
    from av.stream import Disposition

    return bool(int(stream.disposition) & int(Disposition.default))


def _other_streams(container: InputContainer) -> str:
    names = {"audio": "sound", "video": "a cover", "subtitle": "subtitles"}
    kinds = sorted({names.get(s.type, s.type) for s in container.streams})
    return " and ".join(kinds) or "an empty container"
