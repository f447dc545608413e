"""Known failures of the backend, recognised in its output and turned into advice."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .client import BackendError

LOG_REMEDY = "Open the log in the add-on's preferences to see what it said, and try again."


@dataclass(frozen=True)
class KnownFailure:
    """A failure that its output gives away.

    `message` and `remedy` may use the groups of `pattern` as ``{0}``, ``{1}``, and ``{python}``,
    the program that was started.
    """

    pattern: str
    message: str
    remedy: str
    code: str = "backend-died"


KNOWN_FAILURES = (
    KnownFailure(
        r"No module named '?backend(?![\w.])",
        "{python} does not have the SynergyFace backend.",
        "Install the backend with it, or choose another Python in the add-on's preferences.",
        "no-backend",
    ),
    KnownFailure(
        r"No module named '?([\w.]+)",
        "The backend's installation lacks the Python package {0}.",
        "Install the backend again, as its README says.",
    ),
    KnownFailure(
        r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file",
        "The backend needs the system library {0}.",
        "Install it; on Debian and Ubuntu `apt-get install libegl1 libgles2 libgl1` usually does.",
    ),
    KnownFailure(
        r"invalid choice: '?serve|unrecognized arguments: .*--(exit-with-parent|allow-paths)",
        "The backend that {python} has is too old for this add-on.",
        "Update the backend to the add-on's version.",
        "protocol-mismatch",
    ),
    KnownFailure(
        r"CUDA out of memory|CUDA error|cudaError",
        "The graphics card refused the backend's work.",
        "Close other programs that use it, or start the backend with --device cpu.",
    ),
    KnownFailure(
        r"MemoryError|Cannot allocate memory|bad_alloc",
        "The backend ran out of memory.",
        "Close other programs or use a smaller photo, and try again.",
    ),
    KnownFailure(
        r"No space left on device",
        "The disk is full.",
        "Free some space, and try again.",
    ),
    KnownFailure(
        r"PermissionError: .*?: '([^']+)'",
        "The backend may not read or write {0}.",
        "Change the rights of that file, and try again.",
    ),
)


def advice_for(output: str, exit_code: int | None, python: str) -> BackendError:
    """Error that says why a backend stopped, and what to do about it.

    Parameters
    ----------
    output
        The last lines that it printed.
    exit_code
        Its exit code (negative: a signal's number), None if it still runs.
    python
        The program that was started.
    """
    for known in KNOWN_FAILURES:
        match = re.search(known.pattern, output)
        if match:
            return BackendError(
                known.message.format(*match.groups(), python=python),
                known.remedy,
                known.code,
            )
    said = re.findall(r"^synergyface: (.+)$", output, re.MULTILINE)
    if exit_code and said:
        return BackendError(said[-1], code="backend-died")
    if exit_code in (-9, 137):
        return BackendError(
            "The backend was killed; a system that runs out of memory does that.",
            "Close other programs or use a smaller photo, and try again.",
            "backend-died",
        )
    how = "" if exit_code is None else f" (exit code {exit_code})"
    return BackendError(f"The backend stopped unexpectedly{how}.", LOG_REMEDY, "backend-died")
