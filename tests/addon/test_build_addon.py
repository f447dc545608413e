"""The extension's zip: the same every time, and nothing in it that may not be shipped."""

from __future__ import annotations

import importlib.util
import shutil
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

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


def test_builds_are_equal_whatever_the_times_and_caches(
    build_addon: ModuleType, source: Path, tmp_path: Path
) -> None:
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "client.pyc").write_bytes(b"cache")
    (source / "client.py").touch()
    first = build_addon.build(tmp_path / "first")
    second = build_addon.build(tmp_path / "second", source)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = archive.namelist()
    assert {"__init__.py", "blender_manifest.toml", "LICENSE", "scene/head.py"} <= set(names)
    assert not [name for name in names if "pycache" in name]


def test_data_is_refused(build_addon: ModuleType, source: Path, tmp_path: Path) -> None:
    np.save(source / "mean.npy", np.zeros(3))
    with pytest.raises(build_addon.BuildError, match=r"may not be shipped: mean\.npy"):
        build_addon.build(tmp_path / "dist", source)
    (source / "mean.npy").unlink()
    (source / "mean.py").write_text(f"MEAN = {list(range(40_000))}")
    with pytest.raises(build_addon.BuildError, match=r"mean\.py is too large"):
        build_addon.build(tmp_path / "dist", source)
    assert not (tmp_path / "dist").exists()


def test_another_version_is_refused(build_addon: ModuleType, source: Path, tmp_path: Path) -> None:
    with pytest.raises(build_addon.BuildError, match=r"9\.9\.9"):
        build_addon.build(tmp_path, source, version="9.9.9")
