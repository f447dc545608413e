"""Tests in a real Blender module. They never import the backend: they start it as a process.

``$SYNERGYFACE_PYTHON`` names the Python that has the backend (default: the ``.venv`` beside).
"""

from __future__ import annotations

import importlib
import os
import runpy
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODULE = "bl_ext.user_default.synergyface"
PYTHON = os.environ.get("SYNERGYFACE_PYTHON") or str(ROOT / ".venv/bin/python")

# Blender reads this when it is imported: the tests must not touch the user's own settings.
_resources = tempfile.TemporaryDirectory(prefix="synergyface-blender-")
os.environ["BLENDER_USER_RESOURCES"] = _resources.name
# The search for a backend must not find one that the person who runs the tests has installed.
os.environ.pop("SYNERGYFACE_PYTHON", None)

try:
    import bpy
except ImportError as error:
    under_ci = bool(os.environ.get("CI"))
    pytest.exit(
        f"{'FAILED' if under_ci else 'SKIPPED'}: the tests in Blender need the bpy module "
        f"({error}), on Python 3.11: run `make blender-envs`.",
        returncode=1 if under_ci else 0,
    )


# The stubs of bpy know Blender's own operators only.
ops: Any = bpy.ops

# By its file: with `tests` on the path, its `addon` and `backend` could be imported, too.
slowness: Callable[[], float] = runpy.run_path(str(ROOT / "tests" / "slowness.py"))["slowness"]

# What Blender's versions may differ in. The other modules are tested in one of them.
EVERY_VERSION = {
    f"test_{name}"
    for name in (
        "animation",
        "animation_operators",
        "export",
        "head_parts",
        "menus",
        "panels",
        "registration",
        "scene",
    )
}

OUTCOME = pytest.StashKey[int]()
NO_GOOD_END = pytest.StashKey[bool]()


def pytest_report_header() -> str:
    """Which Blender."""
    return f"Blender {bpy.app.version_string}, backend of {PYTHON}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is tested in every version."""
    for item in items:
        if item.path.stem in EVERY_VERSION:
            item.add_marker("every_version")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the outcome for `pytest_unconfigure`."""
    session.config.stash[OUTCOME] = int(exitstatus)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the settings that Blender wrote."""
    _resources.cleanup()
    if config.stash.get(NO_GOOD_END, False):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[OUTCOME])


@pytest.fixture
def gltf_exporter(request: pytest.FixtureRequest) -> None:
    """For tests that use Blender's glTF exporter.

    The bpy 4.2 module that has run it crashes when its process ends, without any add-on of ours.
    """
    if bpy.app.version < (4, 3, 0):
        request.config.stash[NO_GOOD_END] = True


def submodule(name: str) -> Any:
    """A module of the installed add-on."""
    return importlib.import_module(f"{MODULE}.{name}")


def heads_in(scene: bpy.types.Scene) -> list[Any]:
    """The heads of a scene, without their parts."""
    return [object for object in scene.objects if submodule("scene.identity").is_head(object)]


def backend_python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the Python that has the backend."""
    run = subprocess.run(
        [PYTHON, *arguments], capture_output=True, text=True, check=False, **options
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of files that are made once."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="session")
def addon(files: Path) -> Iterator[ModuleType]:
    """The extension, built, installed from its zip and switched on."""
    backend_python(str(ROOT / "build_addon.py"), "--output", str(files))
    [package] = files.glob("*.zip")
    bpy.ops.extensions.package_install_files(
        filepath=str(package), repo="user_default", enable_on_install=True
    )
    assert MODULE in bpy.context.preferences.addons
    yield sys.modules[MODULE]
    bpy.ops.preferences.addon_disable(module=MODULE)


@pytest.fixture(scope="session")
def photo(files: Path) -> Path:
    """The astronaut of scikit-image, a public-domain portrait by NASA."""
    path = files / "astronaut.png"
    code = (
        "import sys; from PIL import Image; from skimage.data import astronaut; "
        "Image.fromarray(astronaut()).save(sys.argv[1])"
    )
    backend_python("-c", code, str(path))
    return path


@pytest.fixture(scope="session")
def exported(files: Path, photo: Path) -> Path:
    """Folder of what the command line makes of the photo."""
    folder = files / photo.stem
    backend_python(
        "-m", "backend.cli", "face", str(photo), "-o", str(files), "--parts", "face", cwd=files
    )
    return folder


@pytest.fixture
def scene(addon: ModuleType) -> bpy.types.Scene:
    """An empty scene; the add-on stays on."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    return bpy.context.scene


@pytest.fixture
def preferences(addon: ModuleType) -> Iterator[Any]:
    """The add-on's preferences; as they were, and the backend stopped, afterwards."""
    yield bpy.context.preferences.addons[MODULE].preferences
    ops.synergyface.stop_backend()
    # Looked up again: they are new ones if the test switched the add-on off and on.
    chosen = bpy.context.preferences.addons[MODULE].preferences
    for name in ("mode", "python", "address"):
        chosen.property_unset(name)
    chosen.token = ""


@pytest.fixture
def fake_backend(preferences: Any, tmp_path: Path) -> Callable[[str], None]:
    """Have the add-on start the fake backend with a fault."""

    def choose(fault: str) -> None:
        command = shlex.join([sys.executable, str(HERE / "fake_backend.py"), fault])
        program = tmp_path / f"python-{fault}"
        program.write_text(f"#!/bin/sh\nexec {command}\n")
        program.chmod(0o755)
        preferences.mode, preferences.python = "python", str(program)

    return choose


@pytest.fixture
def any_file(tmp_path: Path) -> str:
    """A file that the fake backend takes for a photo."""
    path = tmp_path / "somebody.png"
    path.write_bytes(b"not looked at")
    return str(path)
