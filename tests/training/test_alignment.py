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
from training.evaluation.landmarks.alignment import summarise
from training.evaluation.landmarks.nme import (
    aflw_error,
    aflw_points,
    common_error,
    normalised_mean_error,
)


def test_errors_are_binned_by_yaw() -> None:
    """Four faces; 30 degrees belong to the first bin, 60 to the second."""
    yaw = np.array([30.0, -60.0, 31.0, 80.0])
    result = summarise(np.array([1.0, 2.0, 4.0, 9.0]), np.array([1.0, 1.0, 2.0, 4.0]), yaw)
    assert result["all"] == pytest.approx(4.0)
    assert result["inner"] == pytest.approx(2.0)
    assert result["yaw"] == pytest.approx({"0-30": 1.0, "30-60": 3.0, "60-90": 9.0})
    assert result["mean_of_bins"] == pytest.approx(13 / 3)


def test_an_empty_bin_is_empty() -> None:
    result = summarise(np.array([1.0, 2.0]), None, np.array([10.0, np.nan]))
    assert result["yaw"] == {"0-30": 1.0, "30-60": None, "60-90": None}
    assert result["mean_of_bins"] is None
    assert result["all"] == 1.5


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
    assert report["offset"]["refined"] == pytest.approx([-expected, 0], rel=1e-3, abs=1e-3)
    assert report["nme"]["refined"]["yaw"]["60-90"] is None
    assert report["common"] == {}


def test_what_two_networks_share_is_the_annotations_own() -> None:
    """Annotations 3 pixels off, networks 1 and 2 off: 9 parts of 10 are shared."""
    random = np.random.default_rng(0)
    faces = np.broadcast_to(random.uniform(0, 100, (68, 2)), (3000, 68, 2))
    annotated, first, second = (
        faces + off * random.standard_normal(faces.shape) for off in (3.0, 1.0, 2.0)
    )
    # Where somebody puts a landmark is no error; and the jaw has conventions of its own.
    second = second + random.uniform(-5, 5, (68, 2))
    first[:, :17] += 50 * random.standard_normal((3000, 17, 2))
    # The size by which errors are divided varies with the annotations: a little more is shared.
    assert common_error(first, second, annotated) == pytest.approx(0.9, abs=0.01)
    assert common_error(second, first, annotated) == pytest.approx(9 / 13, abs=0.01)
    assert np.isnan(common_error(first[:1], second[:1], annotated[:1]))


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


def test_aflw_points_are_means_of_groups() -> None:
    """Landmark i lies at (i, i * i): each group's mean in closed form."""
    i = np.arange(68.0)
    points = aflw_points(np.stack([i, i**2], axis=1)[None])[0]
    assert points.shape == (21, 2)
    np.testing.assert_allclose(points[0], [17, 289])
    np.testing.assert_allclose(
        points[7], [38.5, (36**2 + 37**2 + 38**2 + 39**2 + 40**2 + 41**2) / 6]
    )
    np.testing.assert_allclose(points[18, 0], 63.5)
    np.testing.assert_allclose(points[[12, 16, 20], 0], [2, 14, 8])


def test_missing_aflw_points_do_not_count() -> None:
    truth = np.zeros((2, 68, 2))
    truth[:, 0] = [100, 25]
    points = aflw_points(truth)
    points[:, :, 0] += 1
    points[0, 5:] = np.nan
    points[1] = np.nan
    error = aflw_error(truth, points, truth)
    assert error[0] == pytest.approx(100 * 1 / 50)
    assert np.isnan(error[1])
