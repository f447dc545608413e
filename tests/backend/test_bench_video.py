"""`synergyface bench video`, on a short clip of a real face."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backend.benchmarks.video import moving_photo, peak_megabytes
from backend.cli import main
from backend.commands.demo import sample_image
from backend.morphable_model.model import MorphableModel

pytest.importorskip("skimage")


def test_speeds_and_memory(
    model: MorphableModel, detector_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "video", "--frames", "60", "--repeat", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] == 60
    for who in ("ours", "mediapipe"):
        assert found[who]["frames_per_second"] > 1
        assert 0.5 < found[who]["processor_milliseconds"] < 1000
    if peak_megabytes() is not None:
        assert found["short_megabytes"] <= found["long_megabytes"]
        assert found["long_megabytes"] - found["short_megabytes"] < 60


def test_wrong_numbers_and_clips_are_refused(
    model: MorphableModel, detector_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "video", "--repeat", "0"]) == 2
    assert main(["bench", "video", "--clip", str(tmp_path / "none.mp4")]) == 2
    assert "none.mp4" in capsys.readouterr().err


def test_the_photo_moves() -> None:
    frames = list(moving_photo(sample_image(), 30))
    assert {frame.shape for frame in frames} == {(720, 1280, 3)}
    assert np.abs(frames[0].astype(int) - frames[20]).mean() > 2
