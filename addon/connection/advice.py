"""Known failures of the backend, recognised in its output and turned into advice."""

from __future__ import annotations

import re

from ..installer.failures import SYSTEM_FAILURES, KnownFailure, recognise
from .client import BackendError

LOG_REMEDY = "Open the log in the add-on's preferences to see why, and try again."
REPAIR_REMEDY = "Repair the backend in the add-on's preferences."

KNOWN_FAILURES = (
    KnownFailure(
        r"No module named '?backend(?![\w.])",
        "{python} does not have the SynergyFace backend.",
        "Install the backend in the add-on's preferences, or choose another Python there.",
        "no-backend",
    ),
    KnownFailure(
        r"No module named '?([\w.]+)",
        "The backend's installation lacks the Python package {0}.",
        REPAIR_REMEDY,
        "damaged-installation",
    ),
    KnownFailure(
        r"No Python at|did not find executable at|error while loading shared libraries: libpython",
        "The Python of the backend was moved or removed.",
        REPAIR_REMEDY,
        "damaged-installation",
    ),
    KnownFailure(
        r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file",
        "The backend needs the system library {0}.",
        "Install it. On Debian and Ubuntu, `apt-get install libegl1 libgles2 libgl1` usually "
        "helps.",
        "missing-library",
    ),
    KnownFailure(
        r"version `(GLIBC(?:XX)?_[\d.]+)' not found",
        "This system is too old for the backend: it lacks {0}.",
        "Update to Ubuntu 20.04, Debian 11 or newer.",
        "missing-library",
    ),
    KnownFailure(
        r"DLL load failed while importing (\w+)",
        "A Windows library that {0} needs is missing.",
        "Install Microsoft's Visual C++ Redistributable (x64), and start the backend again.",
        "missing-library",
    ),
    KnownFailure(
        r"Library not loaded: (\S+)",
        "The backend needs the library {0}.",
        "Update macOS to 14 or newer, or repair the backend in the add-on's preferences.",
        "missing-library",
    ),
    KnownFailure(
        r"invalid choice: '?serve|unrecognized arguments: ",
        "The backend of {python} is too old for this add-on.",
        "Update the backend in the add-on's preferences.",
        "protocol-mismatch",
    ),
    KnownFailure(
        r"CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|MPS backend out of memory",
        "The graphics card has run out of memory.",
        "Close other programs that use it, stop renders in Blender, and try again.",
        "gpu-memory",
    ),
    KnownFailure(
        r"CUDA driver version is insufficient|no kernel image is available|driver .{0,20}too old",
        "The graphics card or its driver is too old for the backend.",
        "Update the driver, or install the backend for the processor in the add-on's preferences.",
        "gpu",
    ),
    KnownFailure(
        r"CUDA error|cudaError|CUDNN_STATUS",
        "The graphics card reported an error.",
        "Close other programs that use it, and update its driver. If that does not help, "
        "install the backend for the processor in the add-on's preferences.",
        "gpu",
    ),
    KnownFailure(
        r"The (?:weights|face detector's model|Basel Face Model's file) .+ (?:is|are) damaged"
        r"|Error while deserializing header|SafetensorError|InvalidProtobuf|INVALID_PROTOBUF",
        "A model file of the backend is damaged.",
        REPAIR_REMEDY,
        "missing-asset",
    ),
    KnownFailure(
        r"Cannot listen on port (\d+)|Address already in use|\[WinError 100(?:13|48)\]",
        "The system does not let the backend open a port.",
        "Allow Python in the firewall or virus scanner, and start the backend again.",
        "bad-port",
    ),
    *SYSTEM_FAILURES,
)

# Negative: the number of a POSIX signal. Large: a status of Windows.
EXIT_CODES = {
    -4: (
        "The processor is too old for the backend.",
        "Use a computer whose processor has AVX2, from about 2014 or later.",
    ),
    -9: (
        "The system ended the backend, probably because memory ran out.",
        "Close other programs or use a smaller photo, and try again.",
    ),
    -11: (
        "The backend crashed in one of its libraries.",
        "Update the graphics driver, and repair the backend in the add-on's preferences.",
    ),
    0xC0000005: (
        "The backend crashed in one of its libraries.",
        "Update the graphics driver, and repair the backend in the add-on's preferences.",
    ),
    0xC000001D: (
        "The processor is too old for the backend.",
        "Use a computer whose processor has AVX2, from about 2014 or later.",
    ),
}


def advice_for(output: str, exit_code: int | None, python: str) -> BackendError:
    """Return the error that says why a backend stopped, and what to do about it.

    Parameters
    ----------
    output
        The last lines that it printed.
    exit_code
        Its exit code (negative: a signal's number), None if it still runs.
    python
        The program that was started.
    """
    found = recognise(output, KNOWN_FAILURES)
    if found:
        known, match = found
        return BackendError(*known.words(match, python), known.code)
    said = re.findall(r"^synergyface: (.+)$", output, re.MULTILINE)
    if exit_code and said:
        return BackendError(said[-1], code="backend-died")
    words = EXIT_CODES.get(-9 if exit_code == 137 else exit_code or 0)
    if words:
        return BackendError(*words, "backend-died")
    how = "" if exit_code is None else f" (exit code {exit_code})"
    return BackendError(f"The backend stopped unexpectedly{how}.", LOG_REMEDY, "backend-died")
