"""Whether a process of this person runs. Standard library only."""

from __future__ import annotations

import ctypes
import os
import sys

SYNCHRONIZE = 0x100000
STILL_RUNNING = 0x102  # WAIT_TIMEOUT


def is_alive(pid: int) -> bool:
    """Tell whether a process that this person may signal has the number `pid`."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True


def _is_alive_on_windows(pid: int) -> bool:
    """Return the same there, where ``os.kill`` would end the process whatever the signal."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    kernel.WaitForSingleObject.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    kernel.CloseHandle.argtypes = (ctypes.c_void_p,)
    handle = kernel.OpenProcess(SYNCHRONIZE, False, ctypes.c_uint32(pid & 0xFFFFFFFF))
    if not handle:
        return False
    try:
        return kernel.WaitForSingleObject(handle, 0) == STILL_RUNNING
    finally:
        kernel.CloseHandle(handle)
