"""Lists of packages with the hash of every file; pip installs nothing else.

``installer/locks/`` holds them as ``python build_addon.py --locks`` wrote them: ``pip.txt`` for pip
itself, ``cpu.txt``, and ``gpu.txt`` with what PyTorch needs besides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

Lock = Literal["pip", "cpu", "gpu"]
LOCK_NAMES: tuple[Lock, ...] = get_args(Lock)


def locked_versions(lock: str) -> Mapping[str, str]:
    """Read the version of every package of a lock, by name."""
    heads = (line.split()[0] for line in lock.splitlines() if _is_head(line))
    return dict(head.split("==") for head in heads)


def without(lock: str, names: Collection[str]) -> str:
    """Leave packages out of a lock.

    Parameters
    ----------
    lock
        A package begins at the start of a line; its hashes follow on lines that are indented.
    names
        Of the packages.
    """
    kept, keeping = [], True
    for line in lock.splitlines(keepends=True):
        if _is_head(line):
            keeping = line.split("==")[0] not in names
        if keeping:
            kept.append(line)
    return "".join(kept)


def _is_head(line: str) -> bool:
    return "==" in line and not line[0].isspace()
