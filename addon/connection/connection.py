"""The add-on's link to one backend: found, started, watched, asked whether it is ready.

No ``bpy`` here. `Connection.use` blocks and is called by workers; `Connection.status` never
blocks and is what the panels draw.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from ..tasks import Reporter
from .advice import LOG_REMEDY
from .answers import require_protocol
from .client import BackendClient, BackendError, Health, parse_address
from .process import BackendProcess, ServerState
from .search import find_command, server_file

START_SECONDS = 60.0
LOAD_SECONDS = 180.0
# A connection may break a moment before the process that held it is gone.
DEATH_SECONDS = 1.0
HEALTH_SECONDS = 0.2
# What a request meets when its backend has died; "unproven": another program has its port.
LOST = ("unreachable", "connection-lost", "timeout", "unproven")

# Of the link to a backend, whoever started its process.
ConnectionState = Literal["stopped", "starting", "loading", "ready", "failed"]

T = TypeVar("T")

log = logging.getLogger(__name__)


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
    """State of the connection, a short text that explains it, and the code of a failure."""

    state: ConnectionState
    detail: str = ""
    code: str = ""


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
        self._notices: list[str] = []

    @property
    def status(self) -> Status:
        """State of the connection, as far as it is known without asking the backend."""
        if self._status.state == "ready" and self.server == "crashed":
            return Status("failed", "It stopped unexpectedly", "backend-died")
        return self._status

    @property
    def server(self) -> ServerState:
        """State of the process that was started here."""
        process = self._process
        return "stopped" if process is None else process.state

    def take_notices(self) -> list[str]:
        """Return what happened meanwhile that a person should hear of; each is given once."""
        notices, self._notices = self._notices, []
        return notices

    def use(self, location: Location, report: Reporter, work: Callable[[BackendClient], T]) -> T:
        """Return the result of `work` with a client of a backend that is ready, started if need be.

        If the backend's process dies meanwhile, it is started again, once, and `work` is repeated.

        Parameters
        ----------
        location
            If it differs from that of the running backend, the running one is stopped.
        report
            Hears of the stages.
        work
            Called in this thread.

        Raises
        ------
        BackendError
            With what to do about it.
        CancelledError
            `report` was asked to stop; a backend that is starting goes on to.
        """
        try:
            return work(self.client(location, report))
        except BackendError as error:
            reason = self._explain(error)
            if not self._died(reason):
                raise reason from error
        with self._lock:
            self._drop()
        self._tell(f"The backend was started again. {reason}")
        report(0.0, "Starting the backend again")
        try:
            return work(self.client(location, report))
        except BackendError as error:
            raise self._explain(error) from error

    def client(self, location: Location, report: Reporter) -> BackendClient:
        """Return the client of a backend that is ready, started if need be; see `use`."""
        with self._lock:
            try:
                return self._connect(location, report)
            except BackendError as error:
                self._drop()
                self._status = Status("failed", error.message, error.code)
                raise

    def stop(self) -> None:
        """Stop the backend that was started here; leave alone one that was started by hand."""
        process = self._process
        if process is not None:
            process.stop()
        with self._lock:
            self._drop()
            self._status = Status("stopped")

    def _explain(self, error: BackendError) -> BackendError:
        """Return a better reason for `error`, if it came about because the backend's process
        died.
        """
        process = self._process
        if error.code in LOST and process is not None and process.ends_within(DEATH_SECONDS):
            return process.failure()
        return error

    def _died(self, reason: BackendError) -> bool:
        """Tell whether the process died by itself in the middle of its work."""
        return self.server == "crashed" and reason.code != "backend-stopped"

    def _tell(self, notice: str) -> None:
        log.warning(notice)
        self._notices.append(notice)

    def _connect(self, location: Location, report: Reporter) -> BackendClient:
        if location != self._location or not self._still_there():
            process = self._process
            if process is not None and self.server == "crashed" and self._status.state == "ready":
                self._tell(f"The backend was started again. {process.failure()}")
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
        """Tell whether the backend that we know still lives; one started by hand may have moved."""
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
        require_protocol(ready.protocol, ready.version)
        return BackendClient(ready.port, self._process.token)

    def _wait_until_loaded(self, client: BackendClient, report: Reporter) -> Health:
        deadline = time.monotonic() + LOAD_SECONDS
        while (health := _health(client)) is None or health.state in ("starting", "loading"):
            self._status = Status("loading")
            report(0.0, "Loading the models")
            if time.monotonic() > deadline:
                raise BackendError(
                    f"The backend has not loaded its models after {LOAD_SECONDS:.0f} seconds.",
                    LOG_REMEDY,
                    "start-timeout",
                )
            report.sleep(HEALTH_SECONDS)
        if health.state == "failed":
            raise health.problem or BackendError(
                "The backend could not load its models.", LOG_REMEDY
            )
        return health

    def _drop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = self._client = self._location = self.health = None


def _health(client: BackendClient) -> Health | None:
    """Return what the backend says; None while it is too busy, as it may be with loading
    libraries.
    """
    try:
        return client.health()
    except BackendError as error:
        if error.code != "timeout":
            raise
        return None
