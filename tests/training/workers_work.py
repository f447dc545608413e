"""What processes of a data step do in tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

_prepared = ""


def prepared(word: str) -> None:
    """Note what was said before the work."""
    global _prepared
    _prepared = word


def square(number: int) -> tuple[int, str]:
    """Of a number, and what was said before."""
    return number * number, _prepared


def wait(folder: Path) -> None:
    """Take longer than anybody waits."""
    (folder / "at_work").touch()
    time.sleep(120)


def at_work(folder: Path) -> bool:
    """Whether somebody waits."""
    return (folder / "at_work").exists()


def die() -> None:
    """As when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
