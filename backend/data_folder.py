"""Where fetched data lives on this computer, and how files get there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backend.errors import BadInputError

ENVIRONMENT_VARIABLE = "SYNERGYFACE_DATA"
# Begins the names of files and folders that are there only while something is written.
TEMPORARY = ".synergyface-"


def data_folder() -> Path:
    """Folder of fetched data: ``$SYNERGYFACE_DATA``, else the platform's user data folder."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("synergyface", appauthor=False)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` that replaces it only if the block succeeds.

    The temporary name keeps the suffix of `target`, because writers choose formats by it.

    Raises
    ------
    BadInputError
        The folder cannot be made or written to, or the block meets an `OSError` (a full disk).
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent
        )
    except OSError as error:
        raise _unwritable(target, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def require_writable(folder: Path) -> None:
    """Raise `BadInputError` unless files can be made in a folder (which is made if need be)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def remove_older(folder: Path, seconds: float) -> None:
    """Remove what we have left in a folder (`TEMPORARY`) and nobody has changed for some time.

    Whatever else lies there is somebody's own: a data folder may be any that they have chosen.
    """
    for path in folder.glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime < seconds:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _unwritable(path: Path, error: OSError) -> BadInputError:
    return BadInputError(
        f"Cannot write {path}: {error.strerror or error}.",
        "Choose a folder that you may write to.",
        code="unwritable",
    )
