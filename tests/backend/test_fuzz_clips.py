"""Damaged clips: frames in order or a refusal with a reason, in bounded time and memory."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from backend.errors import BadInputError
from backend.vision.clip import Range, read_ahead
from backend.vision.opening import open_clip
from tests.backend.fuzz import damaged, fuzz
from tests.clips import grey_steps, sound_only, steady, turned, write_clip

# Of the processor, on its slowest day; a whole one of these clips takes hundredths.
MAX_SECONDS = 10.0
# More than any of them has.
MAX_FRAMES = 10_000
KINDS = {
    "c.mp4": "libx264",
    "c.mov": "mpeg4",
    "c.mkv": "libx264",
    "c.webm": "libvpx",
    "nine.webm": "libvpx-vp9",
    "c.ts": "mpeg2video",
    "c.avi": "mjpeg",
    "c.gif": "gif",
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Small clips of the usual kinds, one on its side, one without pictures."""
    folder = tmp_path_factory.mktemp("clips")
    for name, codec in KINDS.items():
        clock = 25 if codec in ("mjpeg", "mpeg4", "mpeg2video", "gif") else 90_000
        ticks = range(6) if clock == 25 else steady(6)
        write_clip(folder / name, grey_steps(6), ticks, codec, clock=clock)
    turned(write_clip(folder / "turned.mp4", grey_steps(6), steady(6)), (0, 1, -1, 0))
    sound_only(folder / "sound.mp4")
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def test_clips(originals: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "clip"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        began = time.process_time()
        try:
            clip = open_clip(path)
            size = clip.info.decoded_size[::-1]
            assert clip.info.frame_rate > 0 and clip.duration >= 0
            times = []
            for number, frame in enumerate(read_ahead(clip.frames(Range()))):
                assert frame.number == number < MAX_FRAMES
                assert frame.image.dtype == np.uint8 and frame.image.shape == (*size, 3)
                times.append(frame.time)
            assert np.isfinite(times).all() and (np.diff(times) >= 0).all()
        except BadInputError as error:
            assert error.problem and error.remedy
        assert time.process_time() - began < MAX_SECONDS

    assert fuzz(damaged(originals), check, 0.15) > 10
