"""`synergyface data annotate`: photos whose faces are known, and files that are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from backend.cli import main
from backend.morphable_model.model import MorphableModel
from training.data import annotation

# Points of MediaPipe's mesh and of iBUG-68 that are the same place by their definitions: nose tip,
# outer and inner corners of the eyes, corners of the mouth, chin.
SAME = {1: 30, 33: 36, 133: 39, 362: 42, 263: 45, 61: 48, 291: 54, 152: 8}


@pytest.fixture
def photos(tmp_path: Path, model: MorphableModel, detector_file: Path) -> Path:
    """A portrait, a blank picture and a text."""
    Image.fromarray(data.astronaut()).save(tmp_path / "astronaut.png")
    Image.fromarray(np.full((300, 300, 3), 99, np.uint8)).save(tmp_path / "blank.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def read(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "annotations.npz", allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "annotations.manifest.json").read_text())


def test_faces_are_found_and_the_rest_is_listed(photos: Path) -> None:
    assert main(["data", "annotate", str(photos)]) == 0
    found = read(photos)
    assert found["names"].tolist() == ["astronaut.png"]
    assert (found["mp478"].shape, found["pts"].shape) == ((1, 478, 3), (1, 68, 2))
    mesh, landmarks = found["mp478"][0], found["pts"][0]
    # Pupils, middle of the mouth and chin, read off the picture under a grid of ten pixels.
    assert landmarks[36:42].mean(0) == pytest.approx([203, 100], abs=4)
    assert landmarks[42:48].mean(0) == pytest.approx([246, 103], abs=4)
    assert landmarks[48:60].mean(0) == pytest.approx([223, 145], abs=4)
    assert landmarks[8] == pytest.approx([224, 177], abs=4)
    gap = [np.linalg.norm(mesh[m, :2] - landmarks[i]) for m, i in SAME.items()]
    assert max(gap) < 0.04 * np.ptp(landmarks[:, 0])
    assert mesh[1, 2] > mesh[[234, 454], 2].max(), "z is to the viewer: the nose is nearest"
    x0, y0, x1, y1 = found["boxes"][0]
    assert (x0 < landmarks[:, 0]).all() and (landmarks[:, 0] < x1).all()
    assert x1 - x0 == pytest.approx(y1 - y0)
    report = manifest(photos)
    assert report["counts"] == {"faces": 1, "photos": 1, "new": 3}
    assert set(report["skipped"]) == {"blank.png", "notes.txt"}
    assert "no face" in report["skipped"]["blank.png"]


def test_a_second_run_does_nothing_and_a_third_only_what_is_new(photos: Path) -> None:
    command = ["data", "annotate", str(photos), "--workers", "1"]
    assert main(command) == 0
    before = [(path, path.stat().st_mtime_ns) for path in sorted(photos.iterdir())]
    assert main(command) == 0
    assert [(path, path.stat().st_mtime_ns) for path in sorted(photos.iterdir())] == before
    (photos / "more").mkdir()
    Image.fromarray(data.astronaut()[:, ::-1]).save(photos / "more" / "mirrored.png")
    assert main(command) == 0
    assert read(photos)["names"].tolist() == ["astronaut.png", "more/mirrored.png"]
    assert manifest(photos)["counts"]["new"] == 1
    # A mirrored photo has mirrored landmarks.
    eyes = read(photos)["pts"][:, [36, 45]].mean(axis=1)
    assert eyes[1] == pytest.approx([511 - eyes[0, 0], eyes[0, 1]], abs=3)


def test_several_faces_are_one_row_or_several(photos: Path) -> None:
    face = data.astronaut()[0:256, 100:356]
    small = np.asarray(Image.fromarray(face).resize((160, 160)))
    both = np.zeros((256, 420, 3), np.uint8)
    both[:, :256], both[48:208, 260:] = face, small
    folder = photos / "pair"
    folder.mkdir()
    Image.fromarray(both).save(folder / "pair.png")
    assert main(["data", "annotate", str(folder), "--workers", "1"]) == 0
    assert read(folder)["pts"][:, 30, 0] == pytest.approx([120], abs=25)
    (folder / "annotations.npz").unlink()
    assert main(["data", "annotate", str(folder), "--workers", "1", "--all"]) == 0
    assert read(folder)["names"].tolist() == ["pair.png", "pair.png"]


def test_an_interrupted_run_goes_on(
    tmp_path: Path, model: MorphableModel, detector_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten files, saved every four; the first run is stopped at the tenth."""
    for index in range(10):
        (tmp_path / f"{index}.jpg").touch()
    looked: list[str] = []

    def looker(stop_at: str) -> Callable[..., annotation.Found]:
        def look(folder: Path, detector: Path, all_faces: bool, name: str) -> annotation.Found:
            if name == stop_at:
                raise KeyboardInterrupt
            looked.append(name)
            return [np.full((478, 3), float(name[0]), np.float32)], ""

        return look

    monkeypatch.setattr(annotation, "PART", 4)
    command = ["data", "annotate", str(tmp_path), "--workers", "1"]
    monkeypatch.setattr(annotation, "find_faces", looker("9.jpg"))
    assert main(command) == 130
    assert not (tmp_path / "annotations.npz").exists()
    looked.clear()
    monkeypatch.setattr(annotation, "find_faces", looker("none"))
    assert main(command) == 0
    assert looked == ["9.jpg"]
    found = read(tmp_path)
    assert found["names"].tolist() == [f"{i}.jpg" for i in range(10)]
    assert found["mp478"][:, 0, 0].tolist() == list(range(10))
    assert not (tmp_path / annotation.PARTS_FOLDER).exists()


def test_a_missing_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "annotate", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err
