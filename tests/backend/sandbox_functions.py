"""What the tests of `backend.sandbox` call in its children."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import BadInputError
from backend.sandbox.wire import Answer, Rows


def echo(*buffers: bytearray, **arguments: Any) -> Answer:
    """What it was given, and one array of each type."""
    arrays = [np.frombuffer(buffer, np.uint8) for buffer in buffers]
    arrays += [np.arange(6).reshape(2, 3).astype(kind) for kind in "?bBhHiIqQfd"]
    return Answer(arguments, [*arrays, np.asfortranarray([[1, 2], [3, 4]]), np.zeros((0, 3))])


def rows(height: int, parts: int) -> Answer:
    """An array in pieces; one piece short if there is nothing to divide."""
    whole = np.arange(height * 4, dtype=np.uint16).reshape(height, 4)
    return Answer(arrays=[Rows(whole.shape, whole.dtype, np.array_split(whole, parts))])


def too_few_rows() -> Answer:
    """Claims more than comes."""
    return Answer(arrays=[Rows((3, 4), np.dtype(np.uint8), [np.zeros((2, 4), np.uint8)])])


def refuse(data: bytearray) -> Answer:
    """Bad input."""
    raise BadInputError("It is bad.", "Take another.", code="bad-thing")


def fail() -> Answer:
    """A fault of ours."""
    raise TypeError("ours")


def wait(mark: str = "") -> Answer:
    """For ever, without Python being able to interrupt it; says that it has begun."""
    if mark:
        os.mkfifo(mark)
    threading.Lock().acquire()
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
    return Answer()


def take_memory(size: int) -> Answer:
    """Ask for memory and write to it."""
    return Answer(int(np.ones(size, np.uint8)[-1]))


def print_much() -> Answer:
    """As libraries do."""
    os.write(1, b"warning\n" * 100)
    print("warning" * 100, flush=True)
    return Answer("printed")


def write_file(path: str) -> Answer:
    """Try to."""
    try:
        Path(path).write_bytes(bytes(100))
    except OSError:
        return Answer("refused")
    return Answer("written")


def crash() -> Answer:
    """As a fault in native code does."""
    import ctypes

    ctypes.string_at(0)
    return Answer()


def state() -> Answer:
    """Process id and what is imported."""
    return Answer({"pid": os.getpid(), "modules": sorted(sys.modules), "path": sys.path})
