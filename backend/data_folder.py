"""Where fetched data lives on this computer, and how files get there whole or not at all."""

from __future__ import annotations

import errno
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
# Of folders whose content only their owner may see.
PRIVATE = 0o700
# What file systems say that cannot flush.
NO_FLUSH = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EROFS}


def data_folder() -> Path:
    """Folder of fetched data: ``$SYNERGYFACE_DATA``, else the platform's user data folder."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("synergyface", appauthor=False)


@contextmanager
def atomic_path(target: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `target` that replaces it only if the block succeeds.

    The temporary name keeps the suffix of `target`, because writers choose formats by it. When the
    block has ended, the file is on the disk: a power cut takes nothing of it away.

    Parameters
    ----------
    private
        Whether nobody but the owner may read the file, and its folder if that is made now.

    Raises
    ------
    BadInputError
        The folder cannot be made or written to, or the block meets an `OSError` (a full disk).
    """
    try:
        target.parent.mkdir(PRIVATE if private else 0o777, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise unwritable(target, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        flush(temporary)
        if not private:
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
        flush(target.parent)
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def flush(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk itself.

    Raises
    ------
    OSError
        The disk is full or broken.
    """
    folder = path.is_dir()
    if folder and (os.name == "nt" or not os.access(path, os.R_OK)):
        return  # Windows keeps the names in folders by itself
    handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FLUSH:
            raise
    finally:
        os.close(handle)


def require_writable(folder: Path) -> None:
    """Raise `BadInputError` unless files can be made in a folder (which is made if need be)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    require_room(folder)


def require_room(folder: Path) -> None:
    """Raise `BadInputError` unless files can be made in a folder, which need not be there yet.

    Nothing is left behind.
    """
    place = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    try:
        # Where this is no folder, the system says so in its own words.
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise unwritable(folder, error) from error


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


def unwritable(path: Path, error: OSError) -> BadInputError:
    """Refusal of a file or folder that the system does not let us write."""
    return BadInputError(
        f"Cannot write {path}: {error.strerror or error}.",
        "Choose a folder that you can write to, or free some space.",
        code="unwritable",
    )
