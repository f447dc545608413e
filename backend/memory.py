"""Memory that was freed, back to the system."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress


def give_back_memory() -> None:
    """Give freed memory back, which glibc keeps; other systems do by themselves.

    Loading a network leaves as much behind as the network takes.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
