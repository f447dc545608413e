"""The most memory that some Python code takes, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PEAK = """
import sys
from pathlib import Path
if sys.platform == "darwin":
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
elif sys.platform == "win32":
    print(0)
else:
    # Linux hands ru_maxrss down from the process that starts another; this it does not.
    status = Path("/proc/self/status").read_text()
    print(1024 * int(status.split("VmHWM:")[1].split()[0]))
"""

needs_peak = pytest.mark.skipif(
    sys.platform == "win32", reason="the system does not tell the peak memory"
)


def run_alone(code: str, *arguments: object, timeout: float = 120) -> tuple[list[str], int]:
    """Lines that the code printed, and the most bytes that it had resident (0 if not known)."""
    ended = subprocess.run(
        [sys.executable, "-c", code + PEAK, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert ended.returncode == 0, ended.stderr
    *lines, peak = ended.stdout.splitlines()
    return lines, int(peak)
