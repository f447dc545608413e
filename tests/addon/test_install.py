"""Installations from beginning to end, of a small backend from a folder of wheels.

Environments, pip and processes are real. The real backend is installed by tests/blender.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from addon.installer.failures import InstallError
from addon.installer.install import install
from addon.installer.ownership import MARK
from addon.installer.places import environments, install_state, read_marker, recorded_python
from addon.installer.plan import Options, make_plan
from tests.addon.fake_backend_wheel import payload, wheels


class Cancelled(Exception):
    """The person has had enough."""


class Computer:
    """A data folder and a folder of wheels; records the stages of what is installed."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.stages: list[str] = []
        self._folder = folder
        self._wheels = wheels(folder / "wheels")

    def install(self, version: str, state: str = "ready", cancel_at: str = "") -> None:
        """Install a version, or cancel at a stage."""
        self.stages.clear()

        def report(fraction: float, stage: str) -> None:
            assert 0 <= fraction <= 1
            if stage not in self.stages:
                self.stages.append(stage)
            if cancel_at and stage.startswith(cancel_at):
                raise Cancelled

        options = Options(device="cpu", wheels=self._wheels)
        plan = make_plan(options, payload(self._folder, version, state), self.data)
        install(plan, report)

    @property
    def current(self) -> str:
        """Version in use, by what the record says and by what is really there."""
        python = recorded_python(self.data)
        assert python
        version = json.loads((self.data / "installation.json").read_text())["version"]
        marker = read_marker(python.parents[1])
        assert marker and marker.version == version
        return version


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    """One on which nothing is installed yet."""
    return Computer(tmp_path)


def test_cancelled_resumed_and_upgraded(computer: Computer) -> None:
    with pytest.raises(Cancelled):
        computer.install("1.0", cancel_at="Unpacking")
    assert install_state(computer.data, "1.0").kind == "incomplete"
    computer.install("1.0")
    assert computer.current == "1.0"
    assert computer.stages[0] == "Creating the environment"
    assert install_state(computer.data, "1.0").kind == "complete"
    assert install_state(computer.data, "2.0").kind == "outdated"

    # Asked again, it only looks whether all is well.
    computer.install("1.0")
    assert "Creating the environment" not in computer.stages

    # A new version that is not well leaves the old one in use, and whole.
    with pytest.raises(InstallError, match="weights are damaged"):
        computer.install("2.0", state="failed")
    assert computer.current == "1.0"
    with pytest.raises(Cancelled):
        computer.install("2.0", cancel_at="Starting the new backend")
    assert computer.current == "1.0"
    computer.install("2.0")
    assert computer.current == "2.0"
    assert len(environments(computer.data)) == 1


def test_a_damaged_installation_is_made_anew(computer: Computer) -> None:
    computer.install("1.0")
    [first] = environments(computer.data)
    [module] = first.glob("**/backend/cli.py")
    module.write_text("raise ImportError('half a file')")
    computer.install("1.0")
    assert "Creating the environment" in computer.stages
    [second] = environments(computer.data)
    assert second != first
    assert computer.current == "1.0"
    # The marker is what tells a complete environment: without it, nothing is taken for whole.
    (second / "installed.json").unlink()
    assert install_state(computer.data, "1.0").kind == "incomplete"


def test_a_package_that_is_missing_is_named(computer: Computer) -> None:
    next((computer.data.parent / "wheels").glob("needed*")).unlink()
    with pytest.raises(InstallError, match=r"needed.* is not available"):
        computer.install("1.0")
    assert recorded_python(computer.data) is None


def test_a_package_that_is_not_the_locked_one_is_refused(computer: Computer) -> None:
    with zipfile.ZipFile(next((computer.data.parent / "wheels").glob("needed*")), "a") as wheel:
        wheel.writestr("evil.py", "")
    with pytest.raises(InstallError, match="not the one that SynergyFace needs"):
        computer.install("1.0")
    assert recorded_python(computer.data) is None


def test_nothing_is_removed_that_others_have_made(computer: Computer) -> None:
    """A data folder in which somebody keeps environments and packages of his own."""
    backend = computer.data / "backend"
    for name in ("packages/notes.txt", "env/pyvenv.cfg", "env/work.py"):
        (backend / name).parent.mkdir(parents=True, exist_ok=True)
        (backend / name).write_text("mine")
    before = sorted(backend.rglob("*"))
    with pytest.raises(InstallError, match="has not made"):
        computer.install("1.0")
    assert sorted(backend.rglob("*")) == before
    assert install_state(computer.data, "1.0").kind == "none"


def test_what_others_put_beside_ours_stays(computer: Computer) -> None:
    computer.install("1.0")
    theirs = computer.data / "backend" / "env"
    theirs.mkdir()
    (theirs / "pyvenv.cfg").write_text("mine")
    # A link with our mark behind it is not followed.
    elsewhere = computer.data.parent / "elsewhere"
    elsewhere.mkdir()
    for name in (MARK, "pyvenv.cfg", "photo.jpg"):
        (elsewhere / name).write_text("")
    (computer.data / "backend" / "link").symlink_to(elsewhere)
    computer.install("2.0")
    assert computer.current == "2.0"
    assert (theirs / "pyvenv.cfg").read_text() == "mine"
    assert (elsewhere / "photo.jpg").exists()


def test_an_installation_from_before_the_mark_is_taken_over(computer: Computer) -> None:
    computer.install("1.0")
    for mark in (computer.data / "backend").rglob(MARK):
        mark.unlink()
    computer.install("2.0")
    assert computer.current == "2.0"
