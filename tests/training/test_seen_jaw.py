"""The jaw as 2D annotations have it: where the outline of the mesh is seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from backend.cli import main
from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE, rotation_from_euler
from backend.geometry.rasterizer import rasterize
from backend.morphable_model.boxes import CROP_SIZE, RoiBox
from backend.morphable_model.model import N_POSE, N_SHAPE, MorphableModel
from training.evaluation.landmarks.seen_jaw import seen_jaw

BOX = (0.0, 0.0, float(CROP_SIZE), float(CROP_SIZE))
PIXELS_PER_MILLIMETRE = 0.5


def turned_by(yaw: float, model: MorphableModel) -> np.ndarray:
    """(62,) the mean head, turned, in the middle of the crop."""
    linear = PIXELS_PER_MILLIMETRE * rotation_from_euler(yaw, 0.0, 0.0)
    matrix = np.column_stack([linear / MICROMETRES_PER_MILLIMETRE, [60.0, 60.0, 0.0]])
    return np.concatenate([matrix.ravel(), model.parameter_mean[N_POSE:]])


def in_image(points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """(P, 3) of the mesh where the camera sees them."""
    matrix = parameters[:N_POSE].reshape(3, 4)
    placed = points @ matrix[:, :3].T * MICROMETRES_PER_MILLIMETRE + matrix[:, 3]
    return RoiBox.from_corners(*BOX).to_image(placed)


@pytest.mark.parametrize("yaw", [-40.0, 40.0])
def test_the_far_jaw_lies_on_the_outline_that_is_drawn(model: MorphableModel, yaw: float) -> None:
    """Compared with the outermost pixel of the drawn mesh, in the rows of the far cheek."""
    parameters = turned_by(yaw, model)
    jaw = seen_jaw(parameters[None], np.array([BOX]), model)[0]
    mesh = model.vertices(*np.split(model.parameter_mean[N_POSE:].astype(np.float32), [N_SHAPE]))
    scale = 8
    drawn = (in_image(mesh, parameters) + 0.5) * scale - 0.5
    side = CROP_SIZE * scale
    covered = rasterize(drawn.astype(np.float32), model.triangles, side, side).covered
    plain = in_image(model.landmark_mean[:17], parameters)
    left_is_far = abs(jaw[3, 0] - plain[3, 0]) > abs(jaw[13, 0] - plain[13, 0])
    far, near = ((1, 2, 3, 4), (12, 13, 14, 15))[:: 1 if left_is_far else -1]
    for number in far:
        row = np.flatnonzero(covered[round((jaw[number, 1] + 0.5) * scale - 0.5)])
        outermost = row[0] if left_is_far else row[-1]
        outermost = (outermost + 0.5) / scale - 0.5
        assert jaw[number, 0] == pytest.approx(outermost, abs=0.2)
        assert abs(plain[number, 0] - outermost) > 10
    assert jaw[list(near)] == pytest.approx(plain[list(near)], abs=1.1)


def test_the_report_has_a_row_with_the_seen_jaw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: MorphableModel, detector_file: Path
) -> None:
    """Annotations are that row's own points: it errs by nothing, and inside the jaw as before."""
    Image.fromarray(data.astronaut()).save(tmp_path / "a.png")
    points, answers = tmp_path / "points.npz", tmp_path / "answers.npz"
    np.savez(
        points, names=np.array(["a.png"]), pts=np.random.default_rng(0).uniform(0, 1, (1, 68, 2))
    )
    command = ["evaluate", "alignment", "--images", str(tmp_path), "--landmarks", str(points)]
    assert main([*command, "--save-predictions", str(answers)]) == 0
    with np.load(answers) as found:
        truth = found["lm68"][:, :, :2].copy()
        truth[:, :17] = seen_jaw(found["params"], found["boxes"], model)[..., :2]
        np.savez(points, names=np.array(["a.png"]), pts=truth)
        moved = np.linalg.norm(truth - found["lm68"][:, :, :2], axis=2).mean()
        size = np.sqrt(np.ptp(truth, axis=1).prod())
    capsys.readouterr()
    peer = ["--peer", "same", str(answers)]
    assert main([*command, "--seen-jaw", *peer, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["nme"]
    assert rows["refined, jaw as seen"]["all"] == pytest.approx(0, abs=0.01)
    assert rows["same, jaw as seen"]["all"] == pytest.approx(0, abs=0.01)
    assert rows["refined"]["all"] == pytest.approx(100 * moved / size, rel=0.02)
    assert rows["refined"]["inner"] == pytest.approx(0, abs=0.01)
