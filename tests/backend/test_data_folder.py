"""Files appear whole, are on the disk when they count, and private ones are their owner's alone."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest

from backend.data_folder import ENVIRONMENT_VARIABLE, atomic_path, require_room
from backend.errors import BadInputError, CancelledError
from backend.server.unfinished import KEPT_SECONDS, forget_old_work, unfinished_work
from backend.tracking.following import NOTHING
from backend.tracking.partial import PartialTracking, discard

posix = pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")


@posix
def test_a_file_is_on_the_disk_before_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, steps = tmp_path / "done.json", []
    replace = Path.replace

    def flushed(handle: int) -> None:
        number = os.fstat(handle).st_ino
        steps.append("names" if number == tmp_path.stat().st_ino else Path(f"/{number}").name)

    def renamed(self: Path, to: Path) -> Path:
        steps.append(f"{self.stat().st_ino} renamed")
        return replace(self, to)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    with atomic_path(target) as path:
        path.write_text("done")
        number = path.stat().st_ino
    assert steps == [str(number), f"{number} renamed", "names"]


def test_a_disk_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "done.json").write_text("before")
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(BadInputError, match="Input/output"), atomic_path(tmp_path / "done.json"):
        pass
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


@posix
def test_room_is_looked_for_without_a_trace(tmp_path: Path) -> None:
    require_room(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "lost").symlink_to("nowhere")
    for name in ("file", "file/deep", "loop", "lost"):
        with pytest.raises(BadInputError, match=name):
            require_room(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "loop", "lost"}


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a person who shares everything."""
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path))
    return tmp_path


def keep(folder: Path) -> None:
    """What tracking keeps after some frames."""
    PartialTracking(folder, "key").save(NOTHING)


@posix
def test_unfinished_work_is_private(data: Path) -> None:
    before = os.umask(0)
    try:
        with unfinished_work("0123") as folder:
            keep(folder)
            made = [folder.parent, folder, *folder.iterdir()]
            assert [rights(path) for path in made] == [0o700, 0o700, 0o600, 0o600]
    finally:
        os.umask(before)


@pytest.mark.parametrize("error", [None, CancelledError, BadInputError, MemoryError])
def test_nothing_of_it_stays(data: Path, error: type[Exception] | None) -> None:
    try:
        with unfinished_work("0123") as folder:
            keep(folder)
            if error is not None:
                raise error() if error is CancelledError else error("why")
    except (CancelledError, BadInputError, MemoryError):
        assert error is not None
    assert list((data / "unfinished").iterdir()) == []


@posix
def test_what_a_dead_backend_left_is_swept_at_the_start(data: Path) -> None:
    home = data / "unfinished"
    for name in (".synergyface-old", ".synergyface-new", "wedding"):
        keep(home / name)
    then = time.time() - KEPT_SECONDS - 60
    for name in (".synergyface-old", "wedding"):
        os.utime(home / name, (then, then))
    home.chmod(0o755)
    forget_old_work()
    assert {path.name for path in home.iterdir()} == {".synergyface-new", "wedding"}
    assert rights(home) == 0o700


def test_only_what_tracking_keeps_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / ".partial"
    keep(folder)
    (folder / "notes.txt").write_text("mine")
    discard(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert np.all(NOTHING.times == [])
