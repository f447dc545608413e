"""Where work that takes long keeps what it has, so that a backend that died goes on from there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.data_folder import TEMPORARY, data_folder, remove_older

FOLDER = "unfinished"
# Work that nobody has taken up again for so long is forgotten.
KEPT_SECONDS = 7 * 24 * 3600.0


@contextmanager
def unfinished_work(key: str) -> Iterator[Path]:
    """Folder for the work of a key; it is removed when the block ends well, and else stays."""
    home = data_folder() / FOLDER
    remove_older(home, KEPT_SECONDS)
    folder = home / f"{TEMPORARY}{key}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
