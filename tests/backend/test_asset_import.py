"""Models and checkpoints that people bring: read without running code, or refused with a reason."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from scipy.io import savemat

from backend.asset_import import import_asset
from backend.errors import BadInputError, MissingAssetError
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.pickled_arrays import read_pickled_arrays
from backend.morphable_model.storage import load_model, save_model
from backend.synergynet.network import Architecture, SynergyNet
from backend.synergynet.weights import (
    SHIPPED_WEIGHTS,
    active_weights,
    load_weights,
    save_weights,
)

BFM2009_VERTICES = 53_490


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    folder = tmp_path / "data"
    monkeypatch.setenv("SYNERGYFACE_DATA", str(folder))
    return folder


@pytest.fixture
def folder(model: MorphableModel, tmp_path: Path) -> Path:
    """The folder ``3dmm_data`` as SynergyNet's users have it, in micrometres."""
    path = tmp_path / "SynergyNet" / "3dmm_data"
    path.mkdir(parents=True)
    basis = (model.basis * 1000).reshape(50, -1).T
    shape_mean = (model.mean - model.mean_expression) * 1000
    landmarks = model.landmark_indices[:, None] * 3 + np.arange(3)
    arrays = {
        "u_shp": shape_mean.reshape(-1, 1),
        "u_exp": (model.mean_expression * 1000).reshape(-1, 1),
        "w_shp_sim": basis[:, :40],
        "w_exp_sim": basis[:, 40:],
        "keypoints_sim": landmarks.ravel(),
    }
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    # SynergyNet's whitening goes on with 40 texture coefficients.
    whitening = {
        "param_mean": np.append(model.parameter_mean, np.full(40, 7, np.float32)),
        "param_std": np.append(model.parameter_std, np.full(40, 8, np.float32)),
    }
    (path / "param_whitening.pkl").write_bytes(pickle.dumps(whitening))
    return path


def test_synergynet_folder(data: Path, folder: Path, model: MorphableModel) -> None:
    # The repository's own folder will do as well.
    assert str(data) in import_asset(folder.parent)
    read = load_model()
    np.testing.assert_allclose(read.mean, model.mean, atol=1e-4)
    np.testing.assert_allclose(read.basis, model.basis, rtol=1e-5)
    np.testing.assert_array_equal(read.triangles, model.triangles)
    np.testing.assert_array_equal(read.landmark_indices, model.landmark_indices)
    np.testing.assert_array_equal(read.parameter_mean, model.parameter_mean)
    np.testing.assert_array_equal(read.parameter_std, model.parameter_std)


def test_synergynet_folder_with_a_file_missing(data: Path, folder: Path) -> None:
    (folder / "u_exp.npy").unlink()
    _expect_refusal(folder, "lacks u_exp.npy", data)


def test_synergynet_folder_with_a_truncated_file(data: Path, folder: Path) -> None:
    path = folder / "w_exp_sim.npy"
    path.write_bytes(path.read_bytes()[:1000])
    _expect_refusal(folder, "w_exp_sim.npy is not a readable array", data)


def test_model_without_neck_is_refused(data: Path, folder: Path) -> None:
    np.save(folder / "u_shp.npy", np.zeros((3 * 38_365, 1), np.float32))
    _expect_refusal(folder, "38,365", data)


def test_values_that_are_not_numbers(data: Path, folder: Path) -> None:
    array = np.load(folder / "w_shp_sim.npy")
    array[5, 5] = np.nan
    np.save(folder / "w_shp_sim.npy", array)
    _expect_refusal(folder, "w_shp holds values that are not finite", data)


class _Program:
    """Unpickled, it would make a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_pickled_program_does_not_run(data: Path, folder: Path, tmp_path: Path) -> None:
    program = {"param_mean": _Program(tmp_path / "it ran"), "param_std": np.ones(62)}
    (folder / "param_whitening.pkl").write_bytes(pickle.dumps(program))
    _expect_refusal(folder, "mkdir", data)
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize("protocol", range(5))
def test_pickle_protocols(protocol: int) -> None:
    array = np.linspace(-3, 5, 62, dtype=np.float32)
    read = read_pickled_arrays(pickle.dumps({"a": array}, protocol), "file")
    np.testing.assert_array_equal(read["a"], array)


@pytest.mark.parametrize("content", [b"", b"\x80\x03", b"junk", pickle.dumps([1, 2, 3])])
def test_damaged_pickles(content: bytes) -> None:
    with pytest.raises(BadInputError, match="file"):
        read_pickled_arrays(content, "file")


def _bfm2009(model: MorphableModel) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Arrays as Basel's file holds them, and the place of each of our vertices among theirs.

    Their 275 further vertices lie far from ours; colours say which vertex they belong to.
    """
    rng = np.random.default_rng(9)
    ours = (model.mean - model.mean_expression) * 1000
    place = rng.permutation(BFM2009_VERTICES)[: len(ours)]
    positions = rng.uniform(200_000, 300_000, (BFM2009_VERTICES, 3)).astype(np.float32)
    positions[place] = ours
    numbers = np.arange(3 * BFM2009_VERTICES, dtype=np.float32)[:, None]
    arrays = {
        "shapeMU": positions.reshape(-1, 1),
        "texMU": numbers % 256,
        "texPC": (numbers + np.arange(199, dtype=np.float32)) % 101,
        "texEV": np.arange(1, 200, dtype=np.float32)[:, None],
    }
    return arrays, place


def test_bfm2009_textures(data: Path, model: MorphableModel, tmp_path: Path) -> None:
    save_model(model)
    arrays, place = _bfm2009(model)
    path = tmp_path / "01_MorphableModel.mat"
    savemat(path, arrays)
    assert "texture" in import_asset(path)
    read = load_model()
    np.testing.assert_array_equal(read.mean, model.mean)
    assert read.mean_texture is not None and read.texture_basis is not None
    for vertex in (0, 12_345, 53_214):
        row = 3 * int(place[vertex]) + np.arange(3)
        np.testing.assert_allclose(read.mean_texture[vertex], row % 256 / 255, rtol=1e-6)
        k = np.arange(199)
        per_sigma = (row[:, None] + k) % 101 * (k + 1) / 255
        np.testing.assert_allclose(read.texture_basis[vertex], per_sigma, rtol=1e-5)

    size = path.stat().st_size
    for length, reason in ((size - 8, "not a readable Matlab file"), (size // 2, "cut short")):
        os.truncate(path, length)
        with pytest.raises(BadInputError, match=reason):
            import_asset(path)


def test_bfm2009_with_vertices_elsewhere(data: Path, model: MorphableModel, tmp_path: Path) -> None:
    save_model(model)
    arrays, _ = _bfm2009(model)
    arrays["shapeMU"] += 500  # half a millimetre
    path = tmp_path / "01_MorphableModel.mat"
    savemat(path, arrays)
    with pytest.raises(BadInputError, match="mm apart"):
        import_asset(path)
    assert load_model().mean_texture is None


def test_bfm2009_before_the_model(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "01_MorphableModel.mat"
    savemat(path, {"shapeMU": np.zeros((3, 1))})
    with pytest.raises(MissingAssetError, match="assets fetch"):
        import_asset(path)


def test_other_matlab_files(data: Path, model: MorphableModel, tmp_path: Path) -> None:
    save_model(model)
    before = (data / "bfm.npz").read_bytes()
    front = tmp_path / "BFM_model_front.mat"
    savemat(front, {"meanshape": np.zeros((1, 3 * 35_709), np.float32)})
    newer = tmp_path / "newer.mat"
    newer.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    for path, reason in (
        (front, "shapeMU is missing"),
        (newer, "Matlab 7.3"),
    ):
        with pytest.raises(BadInputError, match=reason):
            import_asset(path)
    assert (data / "bfm.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("model2017-1_bfm_nomouth.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "BFM 2017"),
        ("bfm_noneck_v3.pkl", pickle.dumps({"u": 1}), "38,365"),
        ("generic_model.pkl", pickle.dumps({"v_template": 1}), "5,023"),
        ("something.pkl", pickle.dumps(1), "can run programs"),
        ("photo.jpg", b"\xff\xd8\xff", "unknown kind"),
        ("empty", b"", "unknown kind"),
    ],
)
def test_other_models_are_refused_with_the_reason(
    data: Path, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    _expect_refusal(tmp_path / name, reason, data)


def test_weights_of_a_training(data: Path, tmp_path: Path) -> None:
    """Any name will do; what is imported is what the backend then uses."""
    weights = tmp_path / "epoch 31"
    network = SynergyNet(Architecture())
    save_weights(network, weights)
    assert active_weights() == SHIPPED_WEIGHTS
    assert str(data) in import_asset(weights)
    assert active_weights().is_relative_to(data)
    assert active_weights().read_bytes() == weights.read_bytes()
    stored = load_weights(active_weights()).heads.pose.weight
    torch.testing.assert_close(stored, network.heads.pose.weight, atol=1e-4, rtol=1e-3)


def test_unusable_weights_leave_the_imported_ones(data: Path, tmp_path: Path) -> None:
    """Cut short, or of another network."""
    weights = tmp_path / "synergynet.safetensors"
    save_weights(SynergyNet(Architecture()), weights)
    import_asset(weights)
    before = active_weights().read_bytes()
    os.truncate(weights, weights.stat().st_size - 8)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, foreign)
    for path in (weights, foreign):
        with pytest.raises(BadInputError, match="that a training exported"):
            import_asset(path)
    assert active_weights().read_bytes() == before
    assert [path.name for path in data.iterdir()] == [active_weights().name]


def test_missing_path_and_foreign_folder(data: Path, tmp_path: Path) -> None:
    _expect_refusal(tmp_path / "nowhere", "There is no file or folder", data)
    (tmp_path / "empty").mkdir()
    _expect_refusal(tmp_path / "empty", "3dmm_data", data)


def _expect_refusal(path: Path, reason: str, data: Path) -> None:
    with pytest.raises(BadInputError, match=reason):
        import_asset(path)
    assert not data.exists()
