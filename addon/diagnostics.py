"""The add-on's log, and a report that a user can paste into an issue."""

from __future__ import annotations

import logging
import platform
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path

import bpy
import numpy as np

from . import contract
from .connection import Connection

LOG_NAME = "synergyface.log"
LOG_BYTES = 2**20
LOG_FILES = 3
REMEMBERED_ERRORS = 10

log = logging.getLogger(__package__)


class Diagnostics:
    """Writes the add-on's log from construction to `close`.

    Parameters
    ----------
    folder
        Where the log goes; made if it does not exist.
    version
        Version of the add-on.
    """

    def __init__(self, folder: Path, version: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log_file = folder / LOG_NAME
        self._version = version
        self._errors: deque[str] = deque(maxlen=REMEMBERED_ERRORS)
        file = RotatingFileHandler(
            self.log_file, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", delay=True
        )
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._handlers = [file, _Remember(self._errors)]
        log.setLevel(logging.INFO)
        log.propagate = False
        for handler in self._handlers:
            log.addHandler(handler)

    @property
    def versions(self) -> str:
        """One line with the versions that matter."""
        return (
            f"SynergyFace {self._version} (protocol {contract.PROTOCOL}), "
            f"Blender {bpy.app.version_string}, Python {platform.python_version()}, "
            f"numpy {np.__version__}, {platform.platform()}"
        )

    def report(self, connection: Connection) -> str:
        """Versions, state of the backend and the last errors, without the home folder's name."""
        status, health = connection.status, connection.health
        lines = [self.versions, f"Backend: {status.state} {status.detail}".rstrip()]
        if health is not None:
            libraries = ", ".join(f"{k} {v}" for k, v in sorted(health.versions.items()))
            lines.append(f"Backend {health.version} on {health.device}: {libraries}")
        lines += ["Last errors:", *(self._errors or ["none"])]
        return without_home("\n".join(lines))

    def close(self) -> None:
        """Stop writing."""
        for handler in self._handlers:
            log.removeHandler(handler)
            handler.close()


def without_home(text: str, home: Path | None = None) -> str:
    """`text` with the home folder written as ``~``."""
    folder = home or Path.home()
    if folder == Path(folder.anchor):
        return text
    for spelling in {str(folder), folder.as_posix(), repr(str(folder))[1:-1]}:
        text = text.replace(spelling, "~")
    return text


class _Remember(logging.Handler):
    """Keeps the last errors in memory."""

    def __init__(self, errors: deque[str]) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._errors.append(self.format(record))
