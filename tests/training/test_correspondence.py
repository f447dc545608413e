"""MediaPipe's points on the face model: the table that we ship, and how it is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.cli import main
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from tests.training.conftest import random_parameters
from training.data.mediapipe_points import (
    MediaPipePoints,
    landmarks_from_mesh,
    load_table,
    towards_viewer,
)

BOX = RoiBox(300.0, 300.0, 360.0)
# MediaPipe's documented points (nose tip, corners of the eyes, chin) and their iBUG-68 landmarks.
SAME = {1: 30, 33: 36, 133: 39, 362: 42, 263: 45, 152: 8}
# Points on the midline from the forehead to the chin, and pairs, of MediaPipe's canonical mesh.
MIDLINE = [10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 2, 164, 0, 17, 18, 200, 199, 175, 152]
PAIRS = [(33, 263), (61, 291), (234, 454), (132, 361), (105, 334), (50, 280), (78, 308)]


@pytest.fixture(scope="module")
def table() -> MediaPipePoints:
    return load_table()


def test_the_table_is_a_table_of_places_on_the_face(
    table: MediaPipePoints, model: MorphableModel
) -> None:
    assert table.corners.shape == table.weights.shape == (468, 3)
    assert table.weights.min() >= 0
    assert table.weights.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert table.reliable.mean() > 0.9
    # Corners are near each other: of one triangle, or its mirror image.
    spread = np.ptp(model.mean[table.corners], axis=1)
    assert spread.max() < 8
    places = table.on_mean_head(model)
    assert (places[:, 2] > 0).all()


def test_the_table_agrees_with_what_mediapipe_documents(
    table: MediaPipePoints, model: MorphableModel
) -> None:
    places = table.on_mean_head(model)
    for mesh, landmark in SAME.items():
        assert np.linalg.norm(places[mesh] - model.landmark_mean[landmark]) < 6, mesh
    assert np.abs(places[MIDLINE, 0]).max() < 2
    assert (np.diff(places[MIDLINE, 1]) < 1).all(), "from top to bottom"
    for left, right in PAIRS:
        assert places[right] == pytest.approx(places[left] * [-1, 1, 1], abs=2)
        assert places[left, 0] < 0


def test_landmarks_follow_from_the_mesh(table: MediaPipePoints, model: MorphableModel) -> None:
    weights = landmarks_from_mesh(table, model)
    assert weights.shape == (68, 468)
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert weights.min() > -1e-5
    from_mesh = weights @ table.on_mean_head(model)
    gap = np.linalg.norm(from_mesh - model.landmark_mean, axis=1)
    assert gap[17:].mean() < 2.5
    # MediaPipe's mesh ends before the ears, where the jaw of the 68 landmarks begins.
    assert gap.mean() < 5


def test_depth_is_turned_to_the_viewer() -> None:
    points = np.zeros((3, 478, 3), np.float32)
    points[:, 1, 2] = [-50, -60, 5]
    points[:, [234, 454], 2] = 40
    assert towards_viewer(points)[:, 1, 2].tolist() == [50, 60, -5]
    assert (towards_viewer(towards_viewer(points)) == towards_viewer(points)).all()


def test_registration_finds_known_places(
    table: MediaPipePoints, model: MorphableModel, tmp_path: Path
) -> None:
    """Photos whose points are known places of known heads, with noise and a depth of its own."""
    rng = np.random.default_rng(0)
    parameters = random_parameters(model, 24, seed=9)
    mesh = np.zeros((24, 478, 3), np.float32)
    for row, points in zip(parameters, mesh, strict=True):
        head = FaceParameters(row).to_image(model.vertices(row[12:52], row[52:]), BOX)
        points[:468] = np.einsum("pk,pkx->px", table.weights, head[table.corners])
    mesh += rng.normal(0, 0.5, mesh.shape).astype(np.float32)
    mesh[..., 2] = 77 - mesh[..., 2]
    fits, output = tmp_path / "fits.npz", tmp_path / "table.npz"
    boxes = np.tile(np.array(BOX.corners, np.float32), (24, 1))
    np.savez(fits, params=parameters, boxes=boxes, mp478=mesh)
    assert main(["data", "correspondence", str(fits), "-o", str(output)]) == 0
    found = load_table(output)
    gap = np.linalg.norm(found.on_mean_head(model) - table.on_mean_head(model), axis=1)
    assert np.median(gap) < 0.5
    assert np.percentile(gap, 95) < 1.5
    assert found.reliable.all()


def test_few_photos_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fits = tmp_path / "fits.npz"
    np.savez(fits, params=np.zeros((3, 62)), boxes=np.ones((3, 4)), mp478=np.zeros((3, 478, 3)))
    command = ["data", "correspondence", str(fits), "-o", str(tmp_path / "t.npz")]
    assert main(command) == 2
    assert "too few" in capsys.readouterr().err
