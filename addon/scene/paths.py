"""Files as Blender names them."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..problems import Problem


def path_of(filepath: str) -> Path:
    """Return the absolute path of a file; `filepath` may be relative to the .blend file (``//``).

    Raises
    ------
    Problem
        It leads nowhere: a circle of links, or characters that no file's name can have.
    """
    try:
        return Path(bpy.path.abspath(filepath)).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise Problem(f"{filepath!r} is not a file.", "Choose another one.") from error
