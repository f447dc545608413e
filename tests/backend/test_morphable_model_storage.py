"""The model on disk: what is written is read back, and what is damaged is said to be."""

from __future__ import annotations

import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from backend.errors import BadInputError, MissingAssetError
from backend.morphable_model import storage
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.storage import load_model, save_model


@pytest.fixture(scope="module")
def stored(model: MorphableModel, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Bytes of a stored model."""
    return save_model(model, tmp_path_factory.mktemp("stored") / "bfm.npz").read_bytes()


def test_round_trip(model: MorphableModel, tmp_path: Path) -> None:
    read = load_model(save_model(model, tmp_path / "new" / "bfm.npz"))
    for field in fields(model):
        written = getattr(model, field.name)
        if written is not None:
            np.testing.assert_array_equal(getattr(read, field.name), written)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["bfm.npz"]


@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_a_changed_byte_is_found(stored: bytes, tmp_path: Path, share: float) -> None:
    damaged = bytearray(stored)
    damaged[int(len(stored) * share)] ^= 1
    _expect_damaged(bytes(damaged), tmp_path)


@pytest.mark.parametrize("length", [0, 100, 10_000_000])
def test_a_truncated_file_is_found(stored: bytes, tmp_path: Path, length: int) -> None:
    _expect_damaged(stored[:length], tmp_path)


def _expect_damaged(content: bytes, folder: Path) -> None:
    path = folder / "bfm.npz"
    path.write_bytes(content)
    with pytest.raises(MissingAssetError, match=r"damaged.*synergyface assets fetch"):
        load_model(path)


def test_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNERGYFACE_DATA", str(tmp_path))
    with pytest.raises(MissingAssetError, match=r"not on this computer.*synergyface assets fetch"):
        load_model()


def test_array_of_another_shape(stored: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bfm.npz"
    path.write_bytes(stored)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["uv"] = arrays["uv"][:-1]
    np.savez(path, **arrays)
    with pytest.raises(MissingAssetError, match="uv"):
        load_model(path)


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "bfm.npz"
    np.savez(path, format_version=np.array([{}], object))
    with pytest.raises(MissingAssetError, match="damaged"):
        load_model(path)


def test_other_format_version(
    model: MorphableModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(storage, "FORMAT_VERSION", storage.FORMAT_VERSION + 1)
        path = save_model(model, tmp_path / "bfm.npz")
    with pytest.raises(MissingAssetError, match=r"has format .*synergyface assets fetch"):
        load_model(path)


def test_a_failed_write_leaves_the_old_file(
    model: MorphableModel, stored: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bfm.npz"
    path.write_bytes(stored)

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "open", full_disk)
    with pytest.raises(BadInputError, match="No space left on device"):
        save_model(model, path)
    assert path.read_bytes() == stored
    assert list(tmp_path.iterdir()) == [path]
