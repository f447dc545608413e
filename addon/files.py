"""Files that appear whole or not at all. No ``bpy`` here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .problems import Problem


@contextmanager
def written_together(folder: Path) -> Iterator[Path]:
    """A folder to write in; its files move into `folder` when all of them are there.

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
            f"{folder} cannot be written to: {error.strerror or error}.",
            "Choose another folder, or make room on the disk.",
        ) from error
