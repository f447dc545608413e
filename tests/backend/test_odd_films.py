"""Odd films, as people have them: all their frames, at their times, as players show them."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray
from PIL import Image as PILImage

from backend.vision.clip import Clip, Frame, Range
from backend.vision.film_container import FrameMemory, open_container, shown_stream, use_threads
from backend.vision.opening import open_clip
from tests.clips import CLOCK, grey_steps, packed, steady, turned, write_clip

COUNT = 30
# Three frames between two others, always.
B_FRAMES = {"bf": "3", "x264-params": "b-adapt=0"}


def shown(path: Path, rate: float | None = None) -> tuple[Clip, list[Frame]]:
    clip = open_clip(path, rate)
    return clip, list(clip.frames(Range()))


def steps_of(frames: list[Frame]) -> list[int]:
    """Which of `grey_steps` frames are."""
    return [round((float(frame.image.mean()) - 20) / 7) for frame in frames]


def times_of(frames: list[Frame]) -> NDArray[np.float64]:
    return np.array([frame.time for frame in frames])


def avi_of_h264(path: Path) -> Path:
    """AVI has times of decoding only."""
    return write_clip(path, grey_steps(COUNT), range(COUNT), clock=25, options=B_FRAMES)


def avi_of_mpeg4(path: Path) -> Path:
    return write_clip(
        path, grey_steps(COUNT), range(COUNT), "mpeg4", options={"bf": "1", "b": "4M"}, clock=25
    )


def packed_avi(path: Path) -> Path:
    return packed(avi_of_mpeg4(path.with_stem("unpacked")), path)


def mkv_before_zero(path: Path) -> Path:
    """The reader gives no times to the frames of its first half second."""
    return write_clip(
        path,
        grey_steps(COUNT),
        steady(COUNT, start=-CLOCK // 2),
        options=B_FRAMES,
        container_options={"avoid_negative_ts": "disabled"},
    )


def raw_h264(path: Path) -> Path:
    """No times at all; FFmpeg's reader takes 25 frames a second, the film itself says 24."""
    return write_clip(path, grey_steps(COUNT), range(COUNT), clock=24, options=B_FRAMES)


def raw_dv(path: Path) -> Path:
    """FFmpeg's reader says 60,000 frames a second on average."""
    return write_clip(path, grey_steps(COUNT, 720, 576), range(COUNT), "dvvideo", clock=25)


def with_pauses(path: Path) -> Path:
    """On average 5.6 frames a second."""
    ticks = [tick + (tick >= CLOCK // 2) * 4 * CLOCK for tick in steady(COUNT)]
    return write_clip(path, grey_steps(COUNT), ticks)


KINDS: dict[str, tuple[Callable[[Path], Path], float]] = {
    "h264.avi": (avi_of_h264, 25),
    "mpeg4.avi": (avi_of_mpeg4, 25),
    "packed.avi": (packed_avi, 25),
    "before.mkv": (mkv_before_zero, 25),
    "raw.h264": (raw_h264, 24),
    "raw.dv": (raw_dv, 25),
}


@pytest.mark.parametrize("name", KINDS)
def test_no_frame_is_lost_and_each_has_its_time(tmp_path: Path, name: str) -> None:
    make, rate = KINDS[name]
    clip, frames = shown(make(tmp_path / name))
    assert steps_of(frames) == list(range(COUNT))
    assert [frame.number for frame in frames] == list(range(COUNT))
    np.testing.assert_allclose(times_of(frames), np.arange(COUNT) / rate, atol=0.0011)
    assert clip.info.frame_rate == pytest.approx(rate, rel=1e-3) and clip.skipped == 0


def test_times_of_decoding_in_place_of_those_of_showing(tmp_path: Path) -> None:
    """MP4 by a program that knows no B-frames; the edit list hides the first two packets."""
    path = write_clip(tmp_path / "c.mp4", grey_steps(COUNT), steady(COUNT), options=B_FRAMES)
    content = path.read_bytes()
    assert b"ctts" in content
    path.write_bytes(content.replace(b"ctts", b"free"))
    clip, frames = shown(path)
    steps = [step for step in range(COUNT) if step not in (0, 4)]
    assert steps_of(frames) == steps and clip.skipped == 0
    # The first frame is one too early, before the mistake shows.
    expected = [(step - steps[0]) / 25 for step in steps]
    np.testing.assert_allclose(times_of(frames), expected, atol=0.041)
    assert (np.diff(times_of(frames)) > 0.03).all()


def test_a_film_with_pauses_has_the_rate_between_them(tmp_path: Path) -> None:
    clip, frames = shown(with_pauses(tmp_path / "c.mp4"))
    assert clip.info.frame_rate == pytest.approx(25)
    expected = [i / 25 + 4 * (i / 25 >= 0.5) for i in range(COUNT)]
    np.testing.assert_allclose(times_of(frames), expected, atol=1e-4)


def test_dropped_frames_of_an_avi_end_nothing(tmp_path: Path) -> None:
    """Empty chunks stand for them."""
    ticks = [0, 1, 2, 6, 7, 8, 9, 15, 16, 17]
    _, frames = shown(write_clip(tmp_path / "c.avi", grey_steps(10), ticks, "mpeg4", clock=25))
    np.testing.assert_allclose(times_of(frames), np.array(ticks) / 25, atol=1e-4)
    assert steps_of(frames) == list(range(10))


def test_the_last_frames_of_a_truncated_film_come_out(tmp_path: Path) -> None:
    """Its index is whole; the last packet is not."""
    path = write_clip(
        tmp_path / "c.mp4",
        np.random.default_rng(0).integers(0, 255, (COUNT, 64, 96, 3), np.uint8),
        steady(COUNT),
        container_options={"movflags": "faststart"},
    )
    with av.open(str(path)) as container:
        packets = [(p.pos or 0, p.size, p.pts) for p in container.demux(video=0) if p.size]
    position, size, _ = packets[20]
    path.write_bytes(path.read_bytes()[: position + size // 2])
    clip, frames = shown(path)
    assert clip.skipped == 1
    assert len(frames) == 20


ALL_TURNS = [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)] + [
    (0, b, c, 0) for b in (1, -1) for c in (1, -1)
]


@pytest.mark.parametrize("matrix", ALL_TURNS)
def test_turned_and_mirrored_films(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    """ISO 14496-12: a pixel (x, y) is shown at (ax + cy, bx + dy), moved into the picture."""
    picture = cv2.resize(
        np.random.default_rng(0).integers(0, 255, (4, 6, 3)).astype(np.uint8), (96, 64)
    )
    path = write_clip(tmp_path / "c.mp4", [np.asarray(picture, np.uint8)] * 3, steady(3))
    _, (stored, *_) = shown(path)
    clip, (frame, *_) = shown(turned(path, matrix))
    y, x = np.mgrid[:64, :96]
    a, b, c, d = matrix
    to_x, to_y = a * x + c * y, b * x + d * y
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    expected = np.zeros_like(frame.image)
    expected[to_y, to_x] = stored.image
    assert (clip.info.height, clip.info.width) == expected.shape[:2]
    assert np.abs(frame.image.astype(int) - expected).mean() < 3


def two_streams(path: Path, default: int | None, sizes: tuple[int, int]) -> Path:
    """Two plain streams, the first dark and the second bright."""
    with av.open(str(path), "w") as container:
        streams = []
        for width in sizes:
            stream = container.add_stream("mpeg4", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, 64, "yuv420p"
            streams.append(stream)
        for index, stream in enumerate(streams):
            stream.disposition = Disposition.default if index == default else Disposition(0)
        for grey, stream in zip((60, 200), streams, strict=True):
            picture = np.full((64, stream.width, 3), grey, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")):
                container.mux(packet)
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("default", "sizes", "bright"),
    [(1, (96, 96), True), (0, (96, 160), False), (None, (96, 160), True), (None, (160, 96), False)],
)
def test_the_default_stream_is_shown_or_the_largest(
    tmp_path: Path, default: int | None, sizes: tuple[int, int], bright: bool
) -> None:
    _, (frame,) = shown(two_streams(tmp_path / "c.mkv", default, sizes))
    assert (frame.image.mean() > 130) == bright


def patterned(width: int, height: int) -> NDArray[np.uint8]:
    """Four grey fields of one size."""
    fields = np.array([[60, 120], [180, 240]], np.uint8)
    tall = np.repeat(np.repeat(fields, height // 2, axis=0), width // 2, axis=1)
    return np.repeat(tall[..., None], 3, axis=2)


def test_another_size_in_mid_film_is_fitted_and_not_squashed(tmp_path: Path) -> None:
    wide, tall = tmp_path / "wide.ts", tmp_path / "tall.ts"
    write_clip(wide, [patterned(128, 64)] * 5, steady(5), options={"bf": "0"})
    write_clip(tall, [patterned(64, 128)] * 5, steady(5), options={"bf": "0"})
    path = tmp_path / "c.ts"
    path.write_bytes(wide.read_bytes() + tall.read_bytes())
    clip, frames = shown(path)
    assert (clip.info.width, clip.info.height) == (128, 64) and len(frames) == 10
    assert np.abs(frames[0].image.astype(int) - patterned(128, 64)).mean() < 3
    assert_letterboxed(frames[-1].image)


def assert_letterboxed(image: NDArray[np.uint8]) -> None:
    """`patterned` of 64 x 128 in 128 x 64: 32 x 64 in the middle of black."""
    assert image.shape == (64, 128, 3)
    assert image[:, :46].max() < 20 and image[:, 82:].max() < 20
    middle = image[:, 48:80].astype(int)
    assert np.abs(middle - patterned(32, 64)).mean() < 6


def test_pictures_of_another_shape_are_fitted_and_not_squashed(tmp_path: Path) -> None:
    PILImage.fromarray(patterned(128, 64)).save(tmp_path / "1.png")
    PILImage.fromarray(patterned(64, 128)).save(tmp_path / "2.png")
    PILImage.fromarray(patterned(256, 128)).save(tmp_path / "3.png")
    _, (first, second, third) = shown(tmp_path, 25)
    assert_letterboxed(second.image)
    assert np.abs(third.image.astype(int) - first.image).mean() < 2


def test_pixels_may_become_wider_in_mid_film(tmp_path: Path) -> None:
    """As when a station goes from 4:3 to 16:9."""
    parts = []
    for name, aspect in (("a.ts", Fraction(1)), ("b.ts", Fraction(2))):
        part = tmp_path / name
        write_clip(part, [patterned(128, 96)] * 8, steady(8), options=B_FRAMES, aspect=aspect)
        parts.append(part.read_bytes())
    path = tmp_path / "c.ts"
    path.write_bytes(b"".join(parts))
    clip, frames = shown(path)
    assert (clip.info.width, clip.info.height) == (128, 96)
    rows = [int((frame.image.mean(axis=(1, 2)) > 40).sum()) for frame in frames]
    assert rows == [96] * 8 + [48] * 8


def test_threads_of_a_decoder_go_by_the_size_of_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would take 3.6 GB for films of large pictures, with eight processors."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    path = write_clip(tmp_path / "c.mp4", grey_steps(2), steady(2))
    for memory, threads in {
        # 720p, 8K in 10 bits, and a picture of 96 megapixels.
        FrameMemory(1280 * 720, 1.5): 16,
        FrameMemory(7680 * 4320, 3.0): 4,
        FrameMemory(9800 * 9800, 3.0): 1,
    }.items():
        with open_container(path) as container:
            stream = shown_stream(container, path)
            use_threads(stream, memory)
            assert stream.codec_context.thread_count == threads
            assert len(list(container.decode(stream))) == 2


def test_frames_that_were_used_are_freed_at_once(tmp_path: Path) -> None:
    """Not when Python next looks for circles: a large film would fill the memory before."""
    path = write_clip(tmp_path / "c.mp4", grey_steps(COUNT), steady(COUNT))
    gc.collect()
    gc.disable()
    before = decoded_frames()
    try:
        list(open_clip(path).frames(Range()))
        # Those of a decoder's last call, and the little one that told how frames are turned.
        assert decoded_frames() - before < COUNT / 2
    finally:
        gc.enable()


def decoded_frames() -> int:
    """How many of PyAV's frames are in memory, whoever made them."""
    return sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
