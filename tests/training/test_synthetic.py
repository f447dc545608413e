"""Rendered faces whose parameters are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.cli import main
from backend.engines.engine import load_engine
from backend.morphable_model.model import MorphableModel
from backend.vision.crop import crop
from tests.training.conftest import landmarks_of
from training.evaluation.landmarks.angles import angles_of
from training.evaluation.landmarks.synthetic import View, views, write_views


@pytest.fixture(scope="module")
def drawn(model: MorphableModel) -> list[View]:
    return list(views(model, 6, seed=4))


def test_parameters_say_where_the_face_was_drawn(model: MorphableModel, drawn: list[View]) -> None:
    """The plain formula V = P (mean + B alpha) + t in the crop frame gives the drawn landmarks."""
    for view in drawn:
        expected = view.box.to_image(landmarks_of(model, view.parameters))
        np.testing.assert_allclose(view.landmarks[:, :2], expected[:, :2], atol=0.02)
        assert np.ptp(view.landmarks[:, 2] - expected[:, 2]) < 0.02
        np.testing.assert_allclose(angles_of(view.parameters[None])[0], view.ypr, atol=0.05)


def test_the_face_lies_under_its_landmarks(drawn: list[View]) -> None:
    """Pictures are upright and not mirrored: the nose tip points where the yaw says."""
    for view in drawn:
        x = view.landmarks[:, 0]
        if abs(view.ypr[0]) > 30:
            nose_is_right = x[30] > x[[36, 45]].mean()
            assert nose_is_right == (view.ypr[0] < 0)
        assert view.landmarks[8, 1] > view.landmarks[27, 1]
        assert view.image.std() > 10


def test_a_seed_gives_the_same_pictures(model: MorphableModel, drawn: list[View]) -> None:
    (again,) = list(views(model, 1, seed=4))
    np.testing.assert_array_equal(again.image, drawn[0].image)
    assert (next(views(model, 1, seed=5)).image != again.image).any()


def test_the_command_measures_and_writes_a_set_that_others_can_measure(
    model: MorphableModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measuring the written pictures by their file of truth gives the same errors."""
    pictures = tmp_path / "faces"
    assert main(["evaluate", "synthetic", "-n", "6", "--pictures", str(pictures), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["alignment"]["measured"] == 6
    assert sum(report["alignment"]["count"].values()) == 6
    assert report["dense"]["all"] > 0
    assert Image.open(tmp_path / "faces_contact_sheet.png").size == (8 * 256, 256)
    assert len(list(pictures.glob("*.png"))) == 6
    inputs = ["--images", str(pictures), "--landmarks", str(pictures / "fits.npz")]
    command = ["evaluate", "alignment", *inputs, "--boxes", "given", "--read-back", "--json"]
    assert main(command) == 0
    again = json.loads(capsys.readouterr().out)
    ours = report["alignment"]["nme"]
    assert again["nme"]["refined"]["all"] == pytest.approx(ours["refined"]["all"], rel=1e-3)
    assert again["nme"]["read-back"]["all"] > 0
    assert main(["evaluate", "orientation", *inputs, "--boxes", "given", "--json"]) == 0
    angles = json.loads(capsys.readouterr().out)["mae"]["coarse"]["exact"]
    expected = report["orientation"]["mae"]["coarse"]["exact"]
    assert angles["mean"] == pytest.approx(expected["mean"], rel=1e-3)


def test_the_single_answer_is_that_of_one_run(
    model: MorphableModel, drawn: list[View], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without it the answers to a face and to its mirror image are averaged; both is said."""
    write_views(drawn, pictures := tmp_path / "faces")
    inputs = ["--images", str(pictures), "--landmarks", str(pictures / "fits.npz")]
    command = ["evaluate", "alignment", *inputs, "--boxes", "given", "--json"]

    def answered(*options: str) -> tuple[np.ndarray, str]:
        file = tmp_path / "answers.npz"
        assert main([*command, *options, "--save-predictions", str(file)]) == 0
        with np.load(file, allow_pickle=False) as stored:
            return stored["lm68"], json.loads(capsys.readouterr().out)["answers"]

    once = load_engine(model).run(np.stack([crop(view.image, view.box) for view in drawn])).refined
    expected = [v.box.to_image(o) for o, v in zip(once, drawn, strict=True)]
    single, says = answered("--single")
    np.testing.assert_allclose(single, expected, atol=0.05)
    assert "single answer" in says
    averaged, says = answered()
    assert np.abs(averaged - expected).max() > 0.5
    assert "mirror image" in says
