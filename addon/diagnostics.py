"""The add-on's log, and a report that a user can paste into an issue."""

from __future__ import annotations

import logging
import platform
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path

import bpy
import numpy as np

from .connection.connection import Connection
from .exchange import contract
from .installer.places import data_folder, install_state
from .redaction import without_home, without_paths

LOG_NAME = "synergyface.log"
LOG_BYTES = 2**20
LOG_FILES = 3
REMEMBERED_ERRORS = 10
RECENT_LINES = 5
RECENT_CHARACTERS = 90

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
        self._recent: deque[str] = deque(maxlen=RECENT_LINES)
        file = RotatingFileHandler(
            self.log_file, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", delay=True
        )
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        recent = _Remember(self._recent, logging.INFO, "%(message)s")
        errors = _Remember(self._errors, logging.ERROR, "%(asctime)s %(message)s")
        self._handlers = [file, recent, errors]
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

    @property
    def recent(self) -> list[str]:
        """The last lines of the log, cut to fit a panel."""
        return [without_home(line)[:RECENT_CHARACTERS] for line in tuple(self._recent)]

    def report(self, connection: Connection) -> str:
        """Return versions, device, state of the backend and the last errors, without personal
        paths.
        """
        status, health = connection.status, connection.health
        installed = install_state(data_folder(), self._version)
        lines = [
            self.versions,
            f"Installation: {installed.kind} {installed.version}".rstrip(),
            f"Server: {connection.server}",
            f"Connection: {status.state} {status.detail}".rstrip(),
        ]
        if health is not None:
            libraries = ", ".join(f"{k} {v}" for k, v in sorted(health.versions.items()))
            lines.append(f"Backend {health.version} on {health.device}: {libraries}")
        lines += ["Last errors:", *(self._errors or ["none"])]
        return without_paths("\n".join(lines))

    def close(self) -> None:
        """Stop writing."""
        for handler in self._handlers:
            log.removeHandler(handler)
            handler.close()


class _Remember(logging.Handler):
    """Keeps the last records of a level in memory, as text."""

    def __init__(self, kept: deque[str], level: int, layout: str) -> None:
        super().__init__(level)
        self._kept = kept
        self.setFormatter(logging.Formatter(layout))

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(self.format(record))
