"""Programs on the PATH, by absolute paths only.

``shutil.which`` looks in the current folder first on Windows, and everywhere in folders of the PATH
that are not absolute: a program that was planted beside a photo would run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path


def find_program(
    name: str, environment: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> Path | None:
    """Find a program by its name, without the suffix that Windows adds.

    Parameters
    ----------
    name
        Such as ``python3``.
    environment
        Holds ``PATH``.
    platform
        As ``sys.platform``.

    Returns
    -------
    Its absolute path, or None.
    """
    suffix = ".exe" if platform == "win32" else ""
    for folder in _folders(environment):
        path = folder / f"{name}{suffix}"
        if path.is_file() and (platform == "win32" or os.access(path, os.X_OK)):
            return path
    return None


def _folders(environment: Mapping[str, str]) -> Iterator[Path]:
    here = Path.cwd()
    for entry in environment.get("PATH", "").split(os.pathsep):
        folder = Path(entry.strip('"'))
        if entry and folder.is_absolute() and folder != here:
            yield folder
