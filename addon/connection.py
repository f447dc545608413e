"""The add-on's link to one backend: found, started, watched, asked whether it is ready.

No ``bpy`` here. `Connection.client` blocks and is called by workers; `Connection.status` never
blocks and is what the panels draw.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .backend_process import BackendProcess, find_command, server_file
from .client import BackendClient, BackendError, Health, parse_address
from .tasks import Reporter

START_SECONDS = 60.0
LOAD_SECONDS = 180.0
# A connection may break a moment before the process that held it is gone.
DEATH_SECONDS = 1.0
HEALTH_SECONDS = 0.2
LOST = ("unreachable", "connection-lost", "timeout")

State = Literal["stopped", "starting", "loading", "ready", "failed"]


@dataclass(frozen=True)
class Location:
    """Where the backend is, as the preferences say.

    Attributes
    ----------
    mode
        ``automatic``: search for one and start it. ``python``: start it with `python`.
        ``address``: one that was started by hand listens at `address`.
    python
        Path of a Python that has the backend.
    address
        A loopback host and port; empty takes both and the token from the file that a backend
        started by hand writes.
    token
        Its secret.
    """

    mode: Literal["automatic", "python", "address"] = "automatic"
    python: str = ""
    address: str = ""
    token: str = ""


@dataclass(frozen=True)
class Status:
    """State of the backend, and a short text that explains it."""

    state: State
    detail: str = ""


class Connection:
    """Holds at most one backend at a time.

    Parameters
    ----------
    folder
        The add-on's own folder; the backend's working directory.
    """

    def __init__(self, folder: Path) -> None:
        self.health: Health | None = None
        self._folder = folder
        self._lock = threading.Lock()
        self._location: Location | None = None
        self._process: BackendProcess | None = None
        self._client: BackendClient | None = None
        self._status = Status("stopped")

    @property
    def status(self) -> Status:
        """State of the backend, as far as it is known without asking it."""
        process = self._process
        if self._status.state == "ready" and process is not None and not process.alive:
            return Status("failed", "It stopped unexpectedly")
        return self._status

    def client(self, location: Location, report: Reporter) -> BackendClient:
        """Client of a backend that is ready, started if need be.

        Parameters
        ----------
        location
            If it differs from that of the running backend, the running one is stopped.
        report
            Hears of the stages.

        Raises
        ------
        BackendError
            With what to do about it.
        CancelledError
            `report` was asked to stop; the backend goes on starting.
        """
        with self._lock:
            try:
                return self._connect(location, report)
            except BackendError as error:
                self._drop()
                self._status = Status("failed", error.message)
                raise

    def explain(self, error: BackendError) -> BackendError:
        """A better reason for `error`, if it came about because the backend's process died."""
        process = self._process
        if error.code in LOST and process is not None and process.ends_within(DEATH_SECONDS):
            return process.failure()
        return error

    def stop(self) -> None:
        """Stop the backend that was started here; leave alone one that was started by hand."""
        process = self._process
        if process is not None:
            process.stop()
        with self._lock:
            self._drop()
            self._status = Status("stopped")

    def _connect(self, location: Location, report: Reporter) -> BackendClient:
        if location != self._location or not self._still_there():
            self._drop()
        if self._client is None:
            self._status = Status("starting")
            report(0.0, "Starting the backend")
            self._client = self._open(location, report)
            self._location = location
        self.health = self._wait_until_loaded(self._client, report)
        where = f"{self.health.version}, {self.health.device}"
        self._status = Status("ready", f"Version {where}")
        return self._client

    def _still_there(self) -> bool:
        """Whether the backend that we know still lives; one started by hand may have moved."""
        if self._process is not None:
            return self._process.alive
        try:
            return self._client is not None and bool(self._client.health())
        except BackendError:
            return False

    def _open(self, location: Location, report: Reporter) -> BackendClient:
        if location.mode == "address":
            if not location.address.strip():
                return BackendClient.from_server_file(server_file())
            host, port = parse_address(location.address)
            return BackendClient(port, location.token, host)
        command = find_command(location.python if location.mode == "python" else "")
        if self._process is None:
            self._process = BackendProcess(command, self._folder)
            self._location = location
        ready = self._process.wait_until_ready(START_SECONDS, report.check)
        return BackendClient(ready.port, self._process.token)

    def _wait_until_loaded(self, client: BackendClient, report: Reporter) -> Health:
        deadline = time.monotonic() + LOAD_SECONDS
        while (health := client.health()).state in ("starting", "loading"):
            self._status = Status("loading")
            report(0.0, "Loading the models")
            if time.monotonic() > deadline:
                raise BackendError(
                    f"The backend did not load its models within {LOAD_SECONDS:.0f} seconds.",
                    "Open the log in the add-on's preferences to see what it was doing.",
                    "start-timeout",
                )
            report.sleep(HEALTH_SECONDS)
        if health.state == "failed":
            raise health.problem or BackendError(
                "The backend could not load its models.",
                "Open the log in the add-on's preferences to see why.",
            )
        return health

    def _drop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = self._client = self._location = self.health = None
