"""One installation at a time on a computer; the system lifts the lock when its holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .failures import InstallError


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if need be.

    Raises
    ------
    InstallError
        Another installation holds it, or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InstallError(
            f"Cannot write to {folder}: {error.strerror or error}.",
            "Check its permissions, or set SYNERGYFACE_DATA to a folder that you can write to.",
        ) from error
    try:
        _lock(file)
        yield
    finally:
        os.close(file)


def _lock(file: int) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InstallError(
            "The backend is being installed already.", "Wait until that has finished."
        ) from error
