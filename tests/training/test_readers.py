"""Readers of 300W-LP and 3DDFA's set, on small sets that are written here in their formats.

The ground truth is the format's own definition: Matlab's pixels, `scale * R * vertex + t`, y up.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from backend.cli import main
from backend.errors import BadInputError
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from training.data.shards import read_index
from training.readers.tddfa import read_tddfa
from training.readers.w300lp import read_300w_lp

from .conftest import landmarks_of, random_parameters


def _micrometres(model: MorphableModel, alpha: np.ndarray) -> np.ndarray:
    """(68, 3) landmarks of a head, by vertex numbers."""
    vertices = model.vertices(alpha[:40].astype(np.float32), alpha[40:].astype(np.float32))
    return 1000.0 * vertices[model.landmark_indices].astype(np.float64)


def _write_300w_lp(folder: Path, model: MorphableModel) -> dict[str, np.ndarray]:
    """Six photos of 450x430; returns the (68, 2) Matlab pixels by name of the photo."""
    rng = np.random.default_rng(11)
    truth = {}
    alphas = random_parameters(model, 6, seed=2)[:, 12:].astype(np.float64)
    names = [f"{d}/AFW_134212_1_{i}" for d in ("AFW", "AFW_Flip") for i in range(3)]
    for name, alpha, yaw in zip(names, alphas, (-85, -30, 0, 10, 60, 89), strict=True):
        pitch, roll = rng.uniform(-30, 30, 2)
        # Rx(pitch) Ry(yaw) Rz(roll) with factors of transposed sign, by another library.
        rotation = Rotation.from_euler("XYZ", [-pitch, -yaw, -roll], degrees=True).as_matrix()
        scale, translation = 9e-4, np.array([rng.uniform(200, 240), rng.uniform(190, 230), -60])
        projected = scale * _micrometres(model, alpha) @ rotation.T + translation
        points = np.stack([projected[:, 0], 430 + 1 - projected[:, 1]])
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pose = [*np.radians([pitch, yaw, roll]), *translation, scale]
        savemat(
            path.with_suffix(".mat"),
            {
                "Pose_Para": np.array([pose], np.float32),
                "Shape_Para": np.pad(alpha[:40], (0, 159))[:, None].astype(np.float32),
                "Exp_Para": np.pad(alpha[40:], (0, 19))[:, None].astype(np.float32),
                "pt2d": points,
                "roi": np.array([[1, 1, 450, 430]]),
            },
        )
        Image.new("RGB", (450, 430), (90, 90, 90)).save(path.with_suffix(".jpg"))
        truth[f"{name}.jpg"] = points.T
    return truth


def test_300w_lp_reprojects_to_its_points(model: MorphableModel, tmp_path: Path) -> None:
    """Decoded by the plain formula from the converted parameters, landmarks lie on pt2d."""
    truth = _write_300w_lp(tmp_path, model)
    photos = read_300w_lp(tmp_path, model)
    assert list(photos.names) == sorted(truth)
    assert photos.points is not None
    for row, name in enumerate(photos.names):
        pixels = truth[name] - 1  # Matlab counts from 1
        box = RoiBox.from_corners(*photos.boxes[row].astype(float))
        decoded = box.to_image(landmarks_of(model, photos.parameters[row]))
        assert np.abs(decoded[:, :2] - pixels).max() < 0.05
        assert np.abs(photos.landmarks[row, :, :2] - pixels).max() < 0.05
        assert np.abs(photos.points[row] - pixels).max() < 1e-3
        # Depth has the scale of the picture and the same origin as in the crop frame.
        assert np.abs(decoded[:, 2] - photos.landmarks[row, :, 2]).max() < 0.05
        # The box of the training convention: around the landmarks, sqrt(2) times their extent.
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        assert box.side == pytest.approx((high - low).max() * 2**0.5, abs=0.1)
        assert (box.x, box.y) == pytest.approx(tuple((low + high) / 2), abs=0.1)


def test_views_and_mirror_images_are_one_person(model: MorphableModel, tmp_path: Path) -> None:
    _write_300w_lp(tmp_path, model)
    assert set(read_300w_lp(tmp_path, model).identities) == {"AFW_134212_1"}
    assert len(read_300w_lp(tmp_path / "AFW_Flip", model)) == 3


@pytest.mark.parametrize("fault", ["empty", "no array", "short", "no mat"])
def test_a_faulty_300w_lp_is_reported(model: MorphableModel, tmp_path: Path, fault: str) -> None:
    if fault != "empty":
        _write_300w_lp(tmp_path, model)
        path = tmp_path / "AFW" / "AFW_134212_1_1.mat"
        if fault == "no mat":
            path.write_bytes(b"nothing of Matlab's")
        else:
            pose = {"Pose_Para": np.zeros((1, 6))} if fault == "short" else {}
            shapes = {"Shape_Para": (199, 1), "Exp_Para": (29, 1), "pt2d": (2, 68)}
            savemat(path, pose | {name: np.zeros(shape) for name, shape in shapes.items()})
    with pytest.raises(BadInputError, match=r"Cannot use .*_1_1\.mat|no \.jpg"):
        read_300w_lp(tmp_path, model)


def _write_tddfa(
    folder: Path, model: MorphableModel, protocol: int = 2
) -> tuple[Path, Path, Path, np.ndarray]:
    """Four crops, the list, the pickle of whitened parameters; and the parameters themselves."""
    crops = folder / "train_aug_120x120"
    crops.mkdir()
    names = [
        "AFW_AFW_134212_1_0_1.jpg",
        "AFW_Flip_AFW_134212_1_3_2.jpg",
        "HELEN_HELEN_30427236_2_1_10.jpg",
        "LFPW_Flip_LFPW_image_train_0001_12_3.jpg",
    ]
    for name in names:
        Image.new("RGB", (120, 120), (90, 90, 90)).save(crops / name)
    parameters = random_parameters(model, 4, seed=9).astype(np.float64)
    whitened = ((parameters - model.parameter_mean) / model.parameter_std).astype(np.float32)
    listed = folder / "train_aug_120x120.list.train"
    listed.write_text("\n".join(names) + "\n")
    pickled = folder / "param_all_norm.pkl"
    pickled.write_bytes(pickle.dumps(whitened, protocol))
    return crops, listed, pickled, parameters


@pytest.mark.parametrize("protocol", [2, 4])
def test_tddfa_reprojects(model: MorphableModel, tmp_path: Path, protocol: int) -> None:
    """3DDFA's crop frame: vertex (x, y) is the picture's pixel (x - 1, 120 - y)."""
    crops, listed, pickled, parameters = _write_tddfa(tmp_path, model, protocol)
    photos = read_tddfa(crops, listed, pickled, model)
    assert np.allclose(photos.boxes, [[0, 0, 120, 120]])
    for row in range(4):
        matrix = parameters[row, :12].reshape(3, 4)
        vertices = _micrometres(model, parameters[row, 12:])
        x, y, z = (vertices @ matrix[:, :3].T + matrix[:, 3]).T
        expected = np.stack([x - 1, 120 - y, z], axis=1)
        assert np.abs(photos.landmarks[row] - expected).max() < 0.05
        again = landmarks_of(model, photos.parameters[row])
        assert np.abs(again - np.stack([x, y, z], axis=1)).max() < 0.05
    assert list(photos.identities) == [
        "AFW_134212_1", "AFW_134212_1", "HELEN_30427236_2", "LFPW_image_train_0001",
    ]  # fmt: skip


def test_tddfa_with_another_whitening(model: MorphableModel, tmp_path: Path) -> None:
    crops, listed, pickled, parameters = _write_tddfa(tmp_path, model)
    mean, std = np.arange(62, dtype=np.float32), np.linspace(1, 2, 62, dtype=np.float32)
    np.save(tmp_path / "other.npy", ((parameters - mean) / std))
    whitening = tmp_path / "param_whitening.pkl"
    whitening.write_bytes(pickle.dumps({"param_mean": mean, "param_std": std}, 2))
    photos = read_tddfa(crops, listed, tmp_path / "other.npy", model, whitening)
    assert np.allclose(photos.parameters, parameters, rtol=1e-5, atol=1e-6)
    with pytest.raises(BadInputError, match="array of floats"):
        read_tddfa(crops, listed, whitening, model)
    with pytest.raises(BadInputError, match="dictionary"):
        read_tddfa(crops, listed, pickled, model, pickled)


class _Program:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_a_faulty_tddfa_is_reported(model: MorphableModel, tmp_path: Path) -> None:
    crops, listed, pickled, _ = _write_tddfa(tmp_path, model)
    made = tmp_path / "made"
    pickled.write_bytes(pickle.dumps(_Program(made)))
    with pytest.raises(BadInputError, match="not a plain array"):
        read_tddfa(crops, listed, pickled, model)
    assert not made.exists()
    pickled.write_bytes(pickle.dumps(np.zeros((3, 62), np.float32), 2))
    with pytest.raises(BadInputError, match="names 4 files"):
        read_tddfa(crops, listed, pickled, model)
    (crops / "AFW_AFW_134212_1_0_1.jpg").unlink()
    with pytest.raises(BadInputError, match="such as AFW_AFW_134212_1_0_1"):
        read_tddfa(crops, listed, pickled, model)


def test_the_command_packs_them(
    model: MorphableModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w300lp, out = tmp_path / "300W_LP", tmp_path / "pack"
    _write_300w_lp(w300lp, model)
    *files, _ = _write_tddfa(tmp_path, model)
    command = ["data", "pack", "--w300lp", str(w300lp), "--tddfa", *map(str, files)]
    assert main([*command, "--workers", "1", "-o", str(out)]) == 0
    labels = read_index(out).labels
    assert list(labels.sources) == ["300W-LP"] * 6 + ["3DDFA"] * 4
    (out / "index.npz").unlink()
    assert main(["data", "index", str(out)]) == 0
    assert "10 faces of 1 shards" in capsys.readouterr().out
    assert np.array_equal(read_index(out).labels.parameters, labels.parameters)
    assert main(["data", "index", str(tmp_path / "nothing")]) == 2
    assert main(["data", "pack", "-o", str(out)]) == 2
