"""Small clips for tests, written with PyAV."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

CLOCK = 90_000
PIXELS = {"mjpeg": "yuvj420p", "gif": "rgb8"}


def write_clip(
    path: Path,
    pictures: Iterable[Image],
    ticks: Iterable[int],
    codec: str = "libx264",
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    clock: int = CLOCK,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write (H, W, 3) RGB pictures, shown at `ticks` of a clock (AVI needs a slow one)."""
    ticks = list(ticks)
    durations = [*np.diff(ticks).tolist(), ticks[-1] - ticks[-2] if len(ticks) > 1 else 1]
    with av.open(str(path), "w", options=container_options or {}) as container:
        rate = Fraction(clock, durations[0])
        stream = container.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.time_base = Fraction(1, clock)
        for picture, tick, duration in zip(pictures, ticks, durations, strict=True):
            if not stream.codec_context.is_open:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = PIXELS.get(codec, "yuv420p")
                stream.codec_context.gop_size = 12
                stream.codec_context.time_base = Fraction(1, clock)
                if aspect:
                    stream.codec_context.sample_aspect_ratio = aspect
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.pts, frame.duration, frame.time_base = tick, duration, Fraction(1, clock)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def steady(count: int, rate: Fraction | int = 25, start: int = 0) -> list[int]:
    """Ticks of frames at a constant rate."""
    return [start + round(CLOCK * i / rate) for i in range(count)]


def grey_steps(count: int, width: int = 96, height: int = 64) -> list[Image]:
    """Pictures that tell their number by their brightness: seven levels from one to the next."""
    return [np.full((height, width, 3), 20 + 7 * i, np.uint8) for i in range(count)]


def turned(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Give an MP4's track a display matrix (a, b, c, d), in place."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    # Version 0: flags, two times, track, reserved, duration, 8 reserved, layer and so on.
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", data, at + 40, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def packed(source: Path, path: Path) -> Path:
    """Pack the B-frames of an MPEG-4 film (one between two others) as DivX 5 did: two in a chunk.

    The chunk of a B-frame holds nothing but a sign that nothing changes.
    """
    start, nothing = b"\0\0\1\xb6", b"\0\0\1\xb6\x56\xff\xff"
    with av.open(str(source)) as film, av.open(str(path), "w", format="avi") as container:
        given = film.streams.video[0]
        stream = container.add_stream_from_template(given)
        frames = [bytes(packet) for packet in film.demux(given) if packet.size]
        kinds = [frame[frame.index(start) + 4] >> 6 for frame in frames]
        chunks: list[bytes] = []
        for frame, kind in zip(frames, kinds, strict=True):
            if kind == 2 and chunks[-1] != nothing:
                chunks[-1] += frame
                chunks.append(nothing)
            else:
                chunks.append(frame)
        at = chunks[0].index(start)
        chunks[0] = chunks[0][:at] + b"\0\0\1\xb2DivX503b1393p" + chunks[0][at:]
        for number, chunk in enumerate(chunks):
            packet = av.Packet(chunk)
            packet.stream, packet.time_base = stream, given.time_base or Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = not chunk[chunk.index(start) + 4] >> 6
            container.mux(packet)
    return path


def sound_only(path: Path) -> Path:
    """A tenth of a second of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100)
        assert isinstance(stream, av.AudioStream)
        for index in range(5):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 44_100, 1024 * index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
