"""Which folders are ours. Nothing else is ever removed or emptied."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .failures import InstallError

MARK = ".made-by-synergyface"
TEXT = "SynergyFace's installer made this folder, and may remove it with everything in it.\n"


def is_ours(folder: Path) -> bool:
    """Tell whether a folder carries our mark, and is no link to somewhere else."""
    return not folder.is_symlink() and (folder / MARK).is_file()


def claim(folder: Path) -> None:
    """Make a folder ours: one that is not there yet, is empty, or is ours already.

    Raises
    ------
    InstallError
        Others have put something into it, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if is_ours(folder):
            return
        if folder.is_symlink() or any(folder.iterdir()):
            raise InstallError(
                f"The folder {folder} contains something that SynergyFace has not made.",
                "Set SYNERGYFACE_DATA, or --data at a terminal, to another folder.",
            )
        (folder / MARK).write_text(TEXT, encoding="utf-8")
    except OSError as error:
        raise InstallError(
            f"Cannot write to {folder}: {error.strerror or error}.",
            "Check its permissions, or set SYNERGYFACE_DATA to a folder that you can write to.",
        ) from error


def empty(folder: Path) -> None:
    """Make a folder ours and empty; raises as `claim`."""
    remove(folder)
    claim(folder)


def remove(folder: Path) -> None:
    """Remove a folder if it is ours; what a running program holds open stays, and is tried again.

    The mark goes last, so that what is left is still known as ours.
    """
    if not is_ours(folder):
        return
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif entry.name != MARK:
            Path(entry.path).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
