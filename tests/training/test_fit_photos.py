"""`synergyface data fit`: files of points become files of fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.cli import main
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from tests.training.conftest import landmarks_of, random_parameters
from training.data.fitted_photos import read_fitted_photos
from training.data.mediapipe_points import load_table
from training.data.shards import read_index

BOX = RoiBox(120.0, 110.0, 150.0)
N = 6


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(N):
        Image.new("RGB", (240, 220)).save(folder / f"person{index // 2}_{index % 2}.png")
    return folder


def names_of(folder: Path) -> np.ndarray:
    return np.array(sorted(path.name for path in folder.glob("*.png")))


def truth(model: MorphableModel) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (N, 62), and their landmarks (N, 68, 3) in the photos."""
    parameters = random_parameters(model, N, seed=11)
    landmarks = [BOX.to_image(landmarks_of(model, row)) for row in parameters]
    return parameters, np.stack(landmarks)


def stored(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_landmarks_become_a_set(photos: Path, model: MorphableModel) -> None:
    """Points that count from 1, with people in the file names."""
    _, landmarks = truth(model)
    points = photos / "points.npz"
    np.savez(points, names=names_of(photos), pts=landmarks[..., :2] + 1)
    command = ["data", "fit", str(photos), "--points", str(points), "--one-based", "--to", "bone"]
    assert main([*command, "--identity", r"^(.*)_\d"]) == 0
    found = read_fitted_photos(photos)
    assert found.identities.tolist() == [f"person{i // 2}" for i in range(N)]
    assert found.points == pytest.approx(landmarks[..., :2], abs=1e-3)
    assert np.linalg.norm((found.landmarks - landmarks)[..., :2], axis=2).mean() < 0.4
    again = [
        RoiBox.from_corners(*box.astype(float)).to_image(landmarks_of(model, row))
        for row, box in zip(found.parameters, found.boxes, strict=True)
    ]
    assert np.abs(np.stack(again) - found.landmarks).max() < 0.02
    more = stored(photos / "fits.npz")
    assert more["fit_nme"].max() < 0.5
    assert (more["ypr"].shape, more["outlier"].dtype) == ((N, 3), bool)
    report = json.loads((photos / "fits.manifest.json").read_text())
    assert report["counts"]["faces"] == N and report["to"] == "bone"


def test_the_mesh_is_fitted_where_there_is_one(
    photos: Path, model: MorphableModel, tmp_path: Path
) -> None:
    parameters, landmarks = truth(model)
    table = load_table()
    mesh = np.zeros((N, 478, 3), np.float32)
    for row, points in zip(parameters, mesh, strict=True):
        head = FaceParameters(row).to_image(model.vertices(row[12:52], row[52:]), BOX)
        points[:468] = np.einsum("pk,pkx->px", table.weights, head[table.corners])
    # MediaPipe's own z counts away from the viewer.
    away = mesh * np.array([1, 1, -1], np.float32)
    who = np.array(["ann", "ann", "ben", "ben", "eve", "eve"])
    np.savez(photos / "annotations.npz", names=names_of(photos), mp478=away, identities=who)
    output = tmp_path / "fits.npz"
    assert main(["data", "fit", str(photos), "-o", str(output)]) == 0
    found = read_fitted_photos(photos, output)
    assert found.identities.tolist() == who.tolist()
    assert np.linalg.norm((found.landmarks - landmarks)[..., :2], axis=2).mean() < 0.8
    assert stored(output)["mp478"] == pytest.approx(mesh)


def test_what_cannot_be_fitted_is_listed(photos: Path, model: MorphableModel) -> None:
    _, landmarks = truth(model)
    points = landmarks[..., :2].copy()
    points[1, 5:] = np.nan
    names = names_of(photos)
    names[2] = "absent.png"
    np.savez(photos / "annotations.npz", names=names, pts=points)
    assert main(["data", "fit", str(photos)]) == 0
    assert len(read_fitted_photos(photos)) == N - 2
    skipped = json.loads((photos / "fits.manifest.json").read_text())["skipped"]
    assert set(skipped) == {"absent.png", str(names[1])}
    assert "5 points" in skipped[str(names[1])]


def test_outliers_are_left_out_of_the_pack(
    photos: Path, model: MorphableModel, capsys: pytest.CaptureFixture[str]
) -> None:
    """The eye of one face is annotated at the chin of another's; a switch keeps it."""
    _, landmarks = truth(model)
    points = landmarks[..., :2].copy()
    points[3, 36:42] += 60
    np.savez(photos / "annotations.npz", names=names_of(photos), pts=points)
    assert main(["data", "fit", str(photos), "--to", "bone"]) == 0
    assert np.flatnonzero(stored(photos / "fits.npz")["outlier"]).tolist() == [3]
    command = ["data", "pack", "--set", str(photos), "--workers", "1", "-o", str(photos / "pack")]
    capsys.readouterr()
    assert main(command) == 0
    assert "5 faces packed" in (printed := capsys.readouterr().out)
    assert "left out: 1 photos whose fits are outliers" in printed
    labels = read_index(photos / "pack").labels
    assert labels.names.tolist() == np.delete(names_of(photos), 3).tolist()
    assert len(labels.points) == 5 and np.isfinite(labels.points).all()
    assert main([*command, "--keep-outliers"]) == 0
    assert "left out" not in capsys.readouterr().out
    assert len(read_index(photos / "pack").labels) == N


def test_points_of_several_faces_of_a_photo_are_not_mixed_up(
    photos: Path, model: MorphableModel, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two folders' points in one file, both with a photo of the same name."""
    _, landmarks = truth(model)
    names = names_of(photos)
    np.savez(photos / "annotations.npz", names=names, pts=landmarks[..., :2])
    assert main(["data", "fit", str(photos)]) == 0
    twice = photos.parent / "both.npz"
    points = np.concatenate([landmarks, landmarks[:1] + 30])[..., :2]
    np.savez(twice, names=np.append(names, names[0]), pts=points)
    command = ["data", "pack", "--set", str(photos), "-o", str(photos / "pack")]
    assert main([*command, "--points", str(photos), str(twice)]) == 2
    assert f"several rows for 1 photos, such as {names[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arrays", "options", "says"),
    [
        ({}, [], "lacks names"),
        ({"names": ["a"]}, [], "neither pts nor mp478"),
        ({"names": ["a"], "pts": np.zeros((1, 5, 2))}, [], "shape"),
        ({"names": ["a"], "pts": np.zeros((1, 68, 2))}, ["--to", "mesh"], "no mp478"),
        ({"names": ["a"], "pts": np.zeros((1, 68, 2))}, [], "None of the 1 faces"),
        ({"names": ["a"], "pts": np.zeros((1, 68, 2))}, ["--ridge", "-1", "2"], "--ridge"),
        ({"names": ["a"], "pts": np.zeros((1, 68, 2))}, ["--identity", "("], "--identity"),
    ],
)
def test_unusable_points_are_refused(
    photos: Path,
    arrays: dict[str, Any],
    options: list[str],
    says: str,
    model: MorphableModel,
    capsys: pytest.CaptureFixture[str],
) -> None:
    contents: dict[str, Any] = {name: np.array(value) for name, value in arrays.items()}
    np.savez(photos / "annotations.npz", **contents)
    assert main(["data", "fit", str(photos), *options]) == 2
    assert says in capsys.readouterr().err
