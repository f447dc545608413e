"""Clips: every frame at its time, upright, from any usual file, and clear words for bad ones."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image as PILImage

from backend.errors import BadInputError, CancelledError
from backend.vision.clip import Frame, Range, read_ahead
from backend.vision.opening import open_clip
from tests.clips import CLOCK, grey_steps, sound_only, steady, turned, write_clip

COUNT = 30


def frames_of(path: Path, part: Range | None = None, rate: float | None = None) -> list[Frame]:
    return list(open_clip(path, rate).frames(part or Range()))


def step_of(frame: Frame) -> int:
    """Which of `grey_steps` a frame is."""
    return round((float(frame.image.mean()) - 20) / 7)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts", ".avi", ".webm"])
def test_frames_come_in_order_with_their_numbers(tmp_path: Path, suffix: str) -> None:
    codec = {".avi": "mpeg4", ".webm": "libvpx"}.get(suffix, "libx264")
    ticks, clock = (range(COUNT), 25) if suffix == ".avi" else (steady(COUNT), CLOCK)
    path = tmp_path / f"clip{suffix}"
    write_clip(path, grey_steps(COUNT), ticks, codec, options={"b": "4M"}, clock=clock)
    frames = frames_of(path)
    assert [frame.number for frame in frames] == list(range(COUNT))
    assert [step_of(frame) for frame in frames] == list(range(COUNT))
    np.testing.assert_allclose([f.time for f in frames], np.arange(COUNT) / 25, atol=0.001)


@pytest.mark.parametrize("start", [0, 3 * CLOCK])
def test_times_are_those_of_the_file_less_its_start(tmp_path: Path, start: int) -> None:
    """Variable rate: 60, 24 and 10 frames a second, and a pause."""
    gaps = [1500] * 10 + [3750] * 8 + [9000] * 6 + [CLOCK] + [3000] * 4
    ticks = [start, *(start + np.cumsum(gaps)).tolist()]
    path = write_clip(tmp_path / "clip.mkv", grey_steps(len(ticks)), ticks)
    # Matroska's clock has milliseconds.
    expected = np.subtract(ticks, start) / CLOCK
    np.testing.assert_allclose([f.time for f in frames_of(path)], expected, atol=0.0011)


def test_titles_may_be_in_any_encoding(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", grey_steps(3), steady(3))
    data = path.read_bytes()
    assert b"Lavf" in data
    path.write_bytes(data.replace(b"Lavf", b"L\xe9vf"))
    assert len(frames_of(path)) == 3


def test_files_put_one_behind_the_other_play_on(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    write_clip(path, grey_steps(COUNT), steady(COUNT), options={"bf": "0"})
    path.write_bytes(2 * path.read_bytes())
    clip = open_clip(path)
    frames = list(clip.frames(Range()))
    assert [step_of(frame) for frame in frames] == 2 * list(range(COUNT))
    np.testing.assert_allclose([f.time for f in frames], np.arange(2 * COUNT) / 25, atol=0.001)


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(30_000, 1001), Fraction(60)])
def test_rates_are_exact(tmp_path: Path, rate: Fraction) -> None:
    path = write_clip(tmp_path / "clip.mp4", grey_steps(COUNT), steady(COUNT, rate))
    times = [frame.time for frame in frames_of(path)]
    np.testing.assert_allclose(times, np.arange(COUNT) / float(rate), atol=1 / CLOCK)
    assert open_clip(path).info.frame_rate == pytest.approx(float(rate), rel=0.002)


def test_in_and_out_points_keep_time_and_number(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", grey_steps(COUNT), steady(COUNT))
    frames = frames_of(path, Range(0.4, 0.6))
    assert [frame.number for frame in frames] == [10, 11, 12, 13, 14, 15]
    assert [step_of(frame) for frame in frames] == [10, 11, 12, 13, 14, 15]
    assert frames[0].time == pytest.approx(0.4)
    assert frames_of(path, Range(7, 8)) == []


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2), (float("nan"), 2)])
def test_empty_parts_are_refused(start: float, end: float) -> None:
    with pytest.raises(BadInputError, match="empty"):
        Range(start, end)


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_turned_clips_are_upright(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    """As OpenCV shows them, which reads the display matrix by itself."""
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 255, (4, 6, 3)).astype(np.uint8), (96, 64))
    pictures = [np.asarray(picture, np.uint8)] * 3
    path = turned(write_clip(tmp_path / "clip.mp4", pictures, steady(3)), matrix)
    shown = cv2.VideoCapture(str(path)).read()[1][:, :, ::-1]
    clip = open_clip(path)
    frame = next(clip.frames(Range()))
    assert (clip.info.width, clip.info.height) == shown.shape[1::-1]
    assert frame.image.shape == shown.shape
    assert np.abs(frame.image.astype(int) - shown).mean() < 3


def test_pixels_become_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mkv", grey_steps(3), steady(3), aspect=Fraction(3, 2))
    clip = open_clip(path)
    assert (clip.info.width, clip.info.height) == (144, 64)
    assert next(clip.frames(Range())).image.shape == (64, 144, 3)


def test_huge_frames_are_shrunk_as_they_are_decoded(tmp_path: Path) -> None:
    pictures = grey_steps(2, 7680, 4320)
    path = write_clip(tmp_path / "c.mp4", pictures, steady(2), options={"preset": "ultrafast"})
    clip = open_clip(path)
    assert (clip.info.width, clip.info.height) == (7680, 4320)
    assert [frame.image.shape for frame in clip.frames(Range())] == [(1440, 2560, 3)] * 2
    assert clip.info.decoded_scale == pytest.approx(1 / 3)


def test_damaged_frames_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "c.avi"
    write_clip(path, grey_steps(COUNT), range(COUNT), "mjpeg", clock=25)
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for pos, size in packets[10:12]:
        assert pos is not None
        data[pos + 8 : pos + size] = bytes(size - 8)
    path.write_bytes(data)
    clip = open_clip(path)
    frames = list(clip.frames(Range()))
    assert clip.skipped == 2
    assert [step_of(frame) for frame in frames] == [i for i in range(COUNT) if i not in (10, 11)]
    times = [frame.time for frame in frames]
    np.testing.assert_allclose(times, [i / 25 for i in range(COUNT) if i not in (10, 11)])


def test_a_truncated_clip_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """Its head still promises all of its frames."""
    noise = np.random.default_rng(0).integers(0, 255, (COUNT, 64, 96, 3), np.uint8)
    path = write_clip(tmp_path / "c.mkv", noise, steady(COUNT))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = open_clip(path)
    count = len(list(clip.frames(Range())))
    assert COUNT // 4 < count < 3 * COUNT // 4


def numbered(folder: Path, numbers: list[int], pattern: str) -> None:
    folder.mkdir(exist_ok=True)
    for number, picture in zip(numbers, grey_steps(len(numbers)), strict=True):
        PILImage.fromarray(picture).save(folder / (pattern % number))


def test_a_folder_of_pictures_is_counted_through(tmp_path: Path) -> None:
    numbered(tmp_path / "shots", [8, 9, 10, 11], "shot_%d.png")
    (tmp_path / "shots" / "notes.txt").write_text("none of them")
    frames = frames_of(tmp_path / "shots", rate=12.5)
    assert [step_of(frame) for frame in frames] == [0, 1, 2, 3]
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.08, 0.16, 0.24])


def test_numbers_of_a_pattern_are_times(tmp_path: Path) -> None:
    numbered(tmp_path, [5, 6, 9], "shot_%04d.png")
    frames = frames_of(tmp_path / "shot_%04d.png", rate=10)
    assert [frame.number for frame in frames] == [0, 1, 4]
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.1, 0.4])
    starred = frames_of(tmp_path / "shot_*.png", Range(0.1, 1), rate=10)
    assert [step_of(frame) for frame in starred] == [1, 2]


def test_damaged_pictures_are_left_out_and_counted(tmp_path: Path) -> None:
    numbered(tmp_path, [1, 2, 3], "%03d.png")
    (tmp_path / "002.png").write_bytes(b"no picture")
    clip = open_clip(tmp_path, 25)
    assert [frame.number for frame in clip.frames(Range())] == [0, 2]
    assert clip.skipped == 1


def test_image_sequences_need_a_rate_and_videos_none(tmp_path: Path) -> None:
    numbered(tmp_path, [1], "%03d.png")
    for rate in (None, 0, -1, float("nan")):
        with pytest.raises(BadInputError, match="frames per second"):
            open_clip(tmp_path, rate)
    path = write_clip(tmp_path / "clip.mp4", grey_steps(3), steady(3))
    with pytest.raises(BadInputError, match="own frame times"):
        open_clip(path, 25)


def text(path: Path) -> None:
    path.write_text("A letter, and no film. " * 100)


def playlist(path: Path) -> None:
    """FFmpeg would open what it names."""
    write_clip(path.with_name("other.ts"), grey_steps(3), steady(3))
    path.write_text(f"#EXTM3U\n#EXTINF:1,\n{path.with_name('other.ts')}\n#EXT-X-ENDLIST\n")


def headless(path: Path) -> None:
    """An MP4 has its index at its end."""
    write_clip(path, grey_steps(COUNT), steady(COUNT))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def no_codec(path: Path) -> None:
    write_clip(path, grey_steps(3), steady(3))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))


def no_frames(path: Path) -> None:
    """The head of a file and its first frame's beginning."""
    write_clip(path, grey_steps(3), steady(3))
    with av.open(str(path)) as container:
        first = next(packet.pos for packet in container.demux(video=0))
    assert first is not None
    path.write_bytes(path.read_bytes()[: first + 8])


def large(path: Path) -> None:
    """A GIF whose canvas takes a gigabyte."""
    data = write_clip(path, grey_steps(3), range(3), "gif", clock=25).read_bytes()
    path.write_bytes(data[:6] + struct.pack("<HH", 16_000, 16_000) + data[10:])


def larger_than_it_says(path: Path) -> None:
    """The key frame has other sides than the head of the file."""
    data = bytearray(write_clip(path, grey_steps(3), steady(3), "libvpx").read_bytes())
    struct.pack_into("<HH", data, data.index(b"\x9d\x01\x2a") + 3, 11_000, 11_000)
    path.write_bytes(data)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing.mp4": (lambda path: None, "no file"),
    "empty.mp4": (lambda path: path.write_bytes(b""), "not a video"),
    "text.mp4": (text, "not a video"),
    "list.m3u8": (playlist, "not a video"),
    "half.mp4": (headless, "not complete"),
    "sound.m4a": (sound_only, "only sound"),
    "codec.mp4": (no_codec, "cannot be decoded"),
    "none.mkv": (no_frames, "no frame"),
    "large.gif": (large, "more than 100 million pixels"),
    "larger.webm": (larger_than_it_says, "no frame"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_clips_are_refused_with_advice(tmp_path: Path, name: str) -> None:
    make, problem = BAD[name]
    make(tmp_path / name)
    with pytest.raises(BadInputError, match=problem) as error:
        open_clip(tmp_path / name)
    assert name in error.value.problem
    assert error.value.remedy


def test_decoding_ahead_is_bounded_and_ends_when_closed() -> None:
    made: list[int] = []
    ended = threading.Event()

    def endless() -> Generator[Frame]:
        try:
            while True:
                made.append(len(made))
                yield Frame(made[-1], 0.0, np.zeros((1, 1, 3), np.uint8))
        finally:
            ended.set()

    frames = read_ahead(endless(), depth=3)
    assert [next(frames).number for _ in range(5)] == [0, 1, 2, 3, 4]
    frames.close()
    assert ended.is_set()
    # Five that were taken, three that waited, and one in the thread's hand.
    assert len(made) <= 9


def test_errors_come_out_of_the_thread() -> None:
    def failing() -> Generator[Frame]:
        yield Frame(0, 0.0, np.zeros((1, 1, 3), np.uint8))
        raise BadInputError("The film is torn.")

    frames = read_ahead(failing())
    assert next(frames).number == 0
    with pytest.raises(BadInputError, match="torn"):
        next(frames)


def test_waiting_for_a_frame_can_be_stopped() -> None:
    release = threading.Event()

    def stuck() -> Generator[Frame]:
        release.wait(10)
        yield Frame(0, 0.0, np.zeros((1, 1, 3), np.uint8))

    def cancel() -> None:
        release.set()
        raise CancelledError

    with pytest.raises(CancelledError):
        next(read_ahead(stuck(), cancel))
