"""Where work that takes long keeps what it has, so that a backend that died goes on from there.

It holds pictures of faces: only its owner may read it, and of work that was cancelled or has failed
nothing stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backend.data_folder import PRIVATE, TEMPORARY, data_folder, remove_older

FOLDER = "unfinished"
# Work that nobody has taken up again for so long is forgotten.
KEPT_SECONDS = 7 * 24 * 3600.0


@contextmanager
def unfinished_work(key: str) -> Iterator[Path]:
    """Return the folder for the work of a key; it stays only if the process dies in the block."""
    with suppress(OSError):  # whoever writes there says so
        _home().mkdir(PRIVATE, parents=True, exist_ok=True)
    forget_old_work()
    folder = _home() / f"{TEMPORARY}{key}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget_old_work() -> None:
    """Remove what a backend that died has left long ago, and let nobody else read the rest."""
    home = _home()
    with suppress(OSError):
        home.chmod(PRIVATE)
        remove_older(home, KEPT_SECONDS)


def _home() -> Path:
    return data_folder() / FOLDER
