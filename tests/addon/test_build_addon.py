"""The extension's zip: the same every time, and nothing in it that may not be shipped."""

from __future__ import annotations

import ast
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from email.parser import BytesParser
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from backend.morphable_model.model import MorphableModel
from backend.version import VERSION
from tests.bfm_traces import contents, traces

ALLOWED = {*sys.stdlib_module_names, "numpy"}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def build_addon() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("build_addon", ROOT / "build_addon.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the add-on to spoil, with times of its own."""
    copy = tmp_path / "addon"
    shutil.copytree(ROOT / "addon", copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Stands in for the backend's wheel where it is not looked into."""
    path = tmp_path / f"synergyface-{VERSION}-py3-none-any.whl"
    path.write_bytes(b"wheel")
    return path


def test_builds_are_equal_whatever_the_times_and_caches(
    build_addon: ModuleType, source: Path, wheel: Path, tmp_path: Path
) -> None:
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "tasks.pyc").write_bytes(b"cache")
    (source / "tasks.py").touch(exist_ok=True)
    first = build_addon.build(tmp_path / "first", wheel)
    second = build_addon.build(tmp_path / "second", wheel, source)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = archive.namelist()
    assert {"__init__.py", "blender_manifest.toml", "LICENSE", "scene/head.py"} <= set(names)
    assert f"installer/payload/{wheel.name}" in names
    assert not [name for name in names if "pycache" in name]


def test_data_is_refused(
    build_addon: ModuleType, source: Path, wheel: Path, tmp_path: Path
) -> None:
    np.save(source / "mean.npy", np.zeros(3))
    with pytest.raises(build_addon.BuildError, match=r"may not be shipped: mean\.npy"):
        build_addon.build(tmp_path / "dist", wheel, source)
    (source / "mean.npy").unlink()
    (source / "mean.py").write_text(f"MEAN = {list(range(40_000))}")
    with pytest.raises(build_addon.BuildError, match=r"mean\.py is too large"):
        build_addon.build(tmp_path / "dist", wheel, source)
    assert not (tmp_path / "dist").exists()


def test_another_version_is_refused(
    build_addon: ModuleType, source: Path, wheel: Path, tmp_path: Path
) -> None:
    with pytest.raises(build_addon.BuildError, match=r"9\.9\.9"):
        build_addon.build(tmp_path, wheel, source, version="9.9.9")


def test_the_zip_carries_the_backend_and_installs_it_but_no_bfm_data(
    build_addon: ModuleType, model: MorphableModel, tmp_path: Path
) -> None:
    path = build_addon.build(tmp_path / "dist", build_addon.build_wheel(tmp_path))
    members = dict(contents(path))
    packages = [name for name in members if name.endswith(".dist-info/METADATA")]
    assert len(packages) == 1
    metadata = BytesParser().parsebytes(members[packages[0]])
    assert (metadata["Name"], metadata["Version"]) == ("synergyface", VERSION)
    assert any(name.endswith("synergynet/synergynet.safetensors") for name in members)
    assert "--hash=sha256:" in members[f"{path.name}/installer/locks/cpu.txt"].decode()
    for trace, run in traces(model).items():
        assert not [name for name, content in members.items() if run in content], trace
    help_ = subprocess.run(
        [sys.executable, "-I", str(path), "--help"], capture_output=True, text=True, check=True
    )
    assert "--accept-bfm-license" in help_.stdout


def test_traces_are_found_in_archives_within_archives(
    model: MorphableModel, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "inner.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mean.bin", model.mean.tobytes())
    with zipfile.ZipFile(tmp_path / "outer.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "inner.whl", "inner.whl")
    [(name, content)] = contents(tmp_path / "outer.zip")
    assert name == "outer.zip/inner.whl/mean.bin"
    assert traces(model)["mean[0] as float32"] in content


def test_what_both_sides_share_is_written_and_what_is_left_over_goes(
    build_addon: ModuleType, tmp_path: Path
) -> None:
    target = tmp_path / "exchange"
    (target / "contract").mkdir(parents=True)
    (target / "contract" / "gone.py").write_text("")
    (target / "smoothing.py").write_text("old")
    build_addon.write_exchange(target)
    shared = {path.relative_to(build_addon.SHARED) for path in build_addon.SHARED.rglob("*.py")}
    written = {path.relative_to(target): path.read_bytes() for path in target.rglob("*.py")}
    assert written.keys() == shared
    assert all((build_addon.SHARED / name).read_bytes() == text for name, text in written.items())
    assert not [path for path in target.rglob("*") if path.is_file() and path.suffix != ".py"]


def test_what_both_sides_share_needs_nothing_of_either(build_addon: ModuleType) -> None:
    for path in build_addon.SHARED.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module and node.module.split(".")[0] in ALLOWED, path
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] in ALLOWED for alias in node.names), path
