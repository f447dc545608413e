"""`synergyface evaluate alignment` on photos whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from backend.cli import main
from backend.morphable_model.model import MorphableModel
from training.evaluation.alignment import summarise
from training.evaluation.nme import normalised_mean_error


def test_errors_are_binned_by_yaw() -> None:
    """Three faces with errors of 1, 2 and 3 % at 10, 45 and 80 degrees."""
    truth = np.zeros((3, 68, 2))
    truth[:, 0] = [100, 100]
    predicted = truth + np.array([1.0, 2.0, 3.0])[:, None, None] * [1, 0]
    result = summarise(predicted, truth, np.array([10.0, 45.0, 80.0]))
    assert result["all"] == pytest.approx(2.0)
    assert result["inner"] == pytest.approx(2.0)
    assert result["yaw"] == pytest.approx({"0-30": 1.0, "30-60": 2.0, "60-90": 3.0})
    assert summarise(predicted[:1], truth[:1], np.array([10.0]))["yaw"]["60-90"] is None


def test_the_command_reports_what_its_points_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: MorphableModel, detector_file: Path
) -> None:
    """Annotations are the network's own landmarks moved by a known amount; one photo is empty."""
    Image.fromarray(data.astronaut()).save(tmp_path / "a.png")
    Image.fromarray(np.full((300, 300, 3), 99, np.uint8)).save(tmp_path / "b.png")
    assert main(["face", str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    landmarks = np.array(result["faces"][0]["landmarks"])[:, :2]
    moved = landmarks + np.array([2.0, 0.0])
    np.savez(
        tmp_path / "points.npz", names=np.array(["a.png", "b.png"]), pts=np.stack([moved, moved])
    )
    command = ["evaluate", "alignment", "--images", str(tmp_path), "--landmarks"]
    assert main([*command, str(tmp_path / "points.npz"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["n"], report["detected"], report["undetected"]) == (2, 1, ["b.png"])
    expected = normalised_mean_error(landmarks[None], moved[None])[0]
    assert report["nme"]["refined"]["all"] == pytest.approx(expected, rel=1e-3)
    assert report["nme"]["refined"]["inner"] == pytest.approx(expected, rel=1e-3)
    assert report["nme"]["coarse"]["all"] > 0
    assert report["nme"]["refined"]["yaw"]["60-90"] is None


def test_given_boxes_take_the_place_of_detection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: MorphableModel, detector_file: Path
) -> None:
    Image.fromarray(np.full((300, 300, 3), 99, np.uint8)).save(tmp_path / "b.png")
    points = np.random.default_rng(0).uniform(100, 200, (1, 68, 2))
    path = tmp_path / "points.npz"
    np.savez(path, names=np.array(["b.png"]), pts=points, boxes=np.array([[80, 80, 220, 220]]))
    command = ["evaluate", "alignment", "--images", str(tmp_path), "--landmarks", str(path)]
    assert main([*command, "--boxes", "given", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["detected"] == 1


@pytest.mark.parametrize(
    "arrays", [{}, {"names": ["a"]}, {"names": ["a"], "pts": np.zeros((2, 5))}]
)
def test_unusable_annotations_are_refused(
    arrays: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents: dict[str, Any] = {name: np.array(value) for name, value in arrays.items()}
    np.savez(tmp_path / "points.npz", **contents)
    command = ["evaluate", "alignment", "--images", str(tmp_path), "--landmarks"]
    assert main([*command, str(tmp_path / "points.npz")]) == 2
    assert "points.npz" in capsys.readouterr().err
