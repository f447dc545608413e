"""Files that are read whole or not at all, and that appear so. No ``bpy`` here."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .problems import Problem

AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_whole(path: Path, limit: int, remedy: str) -> bytes:
    """Return bytes of a file that a user or a .blend file names; safe in a worker thread.

    Parameters
    ----------
    path
        The file.
    limit
        Largest number of bytes that is read.
    remedy
        What to do if it is none.

    Raises
    ------
    Problem
        It is missing, a folder, a pipe or a device, too large, or may not be read.
    """
    try:
        _check_size(path, path.stat(), limit, remedy)
        # Should a pipe have taken its place meanwhile, this does not wait for somebody to write.
        with os.fdopen(os.open(path, AT_ONCE), "rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError as error:
        raise Problem(f"There is no file {path}.", remedy) from error
    except OSError as error:
        raise Problem(
            f"Cannot read {path}: {error.strerror or error}.",
            "Check the permissions of the file.",
        ) from error
    if len(content) > limit:
        raise _too_large(path, limit, remedy)
    return content


def _check_size(path: Path, found: os.stat_result, limit: int, remedy: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise Problem(f"{path} is a folder.", "Choose a file in it.")
    if not stat.S_ISREG(found.st_mode):
        raise Problem(f"{path} is a pipe or a device, not a file.", remedy)
    if found.st_size > limit:
        raise _too_large(path, limit, remedy)


def _too_large(path: Path, limit: int, remedy: str) -> Problem:
    return Problem(f"{path} is larger than {limit >> 20} MiB.", remedy)


@contextmanager
def written_together(folder: Path) -> Iterator[Path]:
    """Return a folder to write in; its files move into `folder` when all of them are there.

    Raises
    ------
    Problem
        `folder` cannot be written to. What was there before is then as it was.
    """
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".synergyface-") as name:
            written = Path(name)
            yield written
            for path in sorted(written.iterdir()):
                path.replace(folder / path.name)
    except OSError as error:
        raise Problem(
            f"Cannot write to {folder}: {error.strerror or error}.",
            "Choose another folder, or free some space.",
        ) from error
