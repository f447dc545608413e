"""Known failures, recognised in a program's output and turned into advice."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


class InstallError(Exception):
    """The backend cannot be installed, in words for the person who wanted it.

    Attributes
    ----------
    message
        What is wrong.
    remedy
        What to do about it; may be empty.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


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

    def words(self, match: re.Match[str], python: str) -> tuple[str, str]:
        """Return the message and remedy for an output in which the pattern was found."""
        groups = match.groups()
        return (
            self.message.format(*groups, python=python),
            self.remedy.format(*groups, python=python),
        )


def recognise(
    output: str, failures: Iterable[KnownFailure]
) -> tuple[KnownFailure, re.Match[str]] | None:
    """Return the first of the known failures that the output shows."""
    for known in failures:
        match = re.search(known.pattern, output)
        if match:
            return known, match
    return None


NETWORK_REMEDY = "Check the network and proxy, and start again. Finished downloads are kept."

# What every program may meet, the backend as well as pip.
SYSTEM_FAILURES = (
    KnownFailure(
        r"No space left on device|\[WinError 112\]|\[Errno 28\]",
        "The disk is full.",
        "Free some space, and try again.",
    ),
    KnownFailure(
        r"(?:PermissionError|Permission denied|Access is denied).*?: '([^']+)'",
        "Cannot read or write {0}.",
        "Close programs that use it, check its permissions, and try again.",
    ),
    KnownFailure(
        r"MemoryError|Cannot allocate memory|bad_alloc",
        "The computer has run out of memory.",
        "Close other programs or use a smaller photo, and try again.",
    ),
)

PIP_FAILURES = (
    KnownFailure(
        r"CERTIFICATE_VERIFY_FAILED",
        "Cannot verify the server's certificate.",
        "A proxy or virus scanner may be opening encrypted connections. Set PIP_CERT to its "
        "certificate, or install from a folder of wheels.",
    ),
    KnownFailure(
        r"407 Proxy Authentication Required|ProxyError",
        "The network's proxy refuses the connection.",
        "Set HTTPS_PROXY to its address, with name and password, and try again.",
    ),
    KnownFailure(
        r"(?=[^\n]*(?:NewConnectionError|NameResolutionError|ConnectTimeoutError"
        r"|ReadTimeoutError|Connection reset))[^\n]*host='([^']+)'",
        "Cannot reach {0}.",
        "Check the network, proxy and filters for that address, and start again. Finished "
        "downloads are kept.",
    ),
    KnownFailure(
        r"NewConnectionError|NameResolutionError|getaddrinfo failed|ConnectTimeoutError"
        r"|ReadTimeoutError|Read timed out|IncompleteRead|Connection reset|Network is unreachable"
        r"|\[Errno -3\]",
        "Cannot download the packages: the network is missing or breaks off.",
        NETWORK_REMEDY,
    ),
    KnownFailure(
        r"THESE PACKAGES DO NOT MATCH THE HASHES",
        "A package is damaged, or is not the one that SynergyFace needs.",
        "Start again. If it fails again, your package index or folder of wheels differs from PyPI.",
    ),
    KnownFailure(
        r"BadZipFile|is not a zip file",
        "A downloaded package is damaged.",
        "Start again.",
    ),
    KnownFailure(
        r"\[WinError 206\]|filename or extension is too long|Windows Long Path",
        "The paths of the packages are too long for Windows.",
        "Turn on long paths (search Windows' settings for LongPathsEnabled), or set "
        "SYNERGYFACE_DATA to a short folder such as C:\\sf.",
    ),
    KnownFailure(
        r"(?:No matching distribution found for|Cannot install) ([\w.-]+)",
        "The package {0} is not available for this system and Python.",
        "Use 64-bit Linux, Windows, or macOS 14 on Apple silicon. If you install from a folder "
        "of wheels, check that it has the package for this system and Python.",
    ),
    KnownFailure(
        r"No Python at|can't open file|cannot execute",
        "The Python of the environment was moved or removed.",
        "Start again.",
    ),
    *SYSTEM_FAILURES,
)
