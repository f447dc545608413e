"""Start the backend as a child process, watch it, stop it. No ``bpy`` here.

The child gets a random token in its environment and a pipe as its standard input, which it
watches: when Blender ends, however it ends, the pipe closes and the child ends too. It prints one
JSON line when it is ready. Everything else that it prints goes to the log, and is looked through
for known failures when it stops.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import secrets
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..exchange import contract
from ..installer.children import REMEMBERED_LINES, child_environment, end, no_window
from .advice import LOG_REMEDY, advice_for
from .client import BackendError
from .search import INSTALL_REMEDY
from .windows_job import end_with_us

OUTPUT_SECONDS = 5.0

# Of the process, whatever the connection to it does.
ServerState = Literal["starting", "running", "stopped", "crashed"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ready:
    """The line that the backend prints once it listens."""

    port: int
    protocol: int
    version: str
    pid: int


class BackendProcess:
    """One run of the backend; a stopped one is not started again.

    Parameters
    ----------
    command
        From `find_command`.
    folder
        Working directory of the child: one in which no module lies that Python might import.
    """

    def __init__(self, command: tuple[str, ...], folder: Path) -> None:
        self.token = secrets.token_urlsafe(32)
        self._command = command
        self._folder = folder
        self._lines: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self._ready: Ready | None = None
        self._ready_or_over = threading.Event()
        self._started = threading.Event()
        self._stopping = False
        self._child: subprocess.Popen[bytes] | None = None
        self._start_error: OSError | None = None
        log.info("Starting %s", " ".join(command))
        # Linux tells the child when the thread ends that started it, so the thread that lives as
        # long as the child has to.
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self._started.wait()
        if self._start_error is not None:
            raise BackendError(
                f"Cannot start the backend: {command[0]}: {self._start_error.strerror}.",
                INSTALL_REMEDY,
                "no-backend",
            ) from self._start_error
        atexit.register(self.stop)

    @property
    def state(self) -> ServerState:
        """What the child is doing."""
        if self.alive:
            return "starting" if self._ready is None else "running"
        return "stopped" if self._stopping else "crashed"

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._process.poll() is None

    def ends_within(self, seconds: float) -> bool:
        """Tell whether the child has ended, or does within some seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.alive

    @property
    def pid(self) -> int:
        """Process number of the child."""
        return self._process.pid

    def wait_until_ready(self, timeout: float, check: Callable[[], None] = lambda: None) -> Ready:
        """Wait for the ready line.

        Parameters
        ----------
        timeout
            Seconds.
        check
            Called several times a second; may raise to stop waiting.

        Raises
        ------
        BackendError
            ``backend-died`` or ``start-timeout``.
        """
        deadline = time.monotonic() + timeout
        while not self._ready_or_over.wait(0.1):
            check()
            if time.monotonic() > deadline:
                self.stop()
                raise BackendError(
                    f"The backend was not ready after {timeout:.0f} seconds.",
                    LOG_REMEDY,
                    "start-timeout",
                )
        if self._ready is None:
            raise self.failure()
        return self._ready

    def failure(self) -> BackendError:
        """Tell why the child stopped: a known failure found in its output, or its exit code."""
        if self._stopping:
            return BackendError("The backend was stopped.", "Start it again.", "backend-stopped")
        self.ends_within(OUTPUT_SECONDS)
        self._thread.join(OUTPUT_SECONDS)
        return advice_for("\n".join(self._lines), self._process.returncode, self._command[0])

    def stop(self) -> None:
        """End the child: by closing its input, then by a signal, then by force."""
        atexit.unregister(self.stop)
        self._stopping = True
        end(self._process)
        self._thread.join(OUTPUT_SECONDS)

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self._child is not None
        return self._child

    def _live(self) -> None:
        """Start the child and read its output to the end."""
        try:
            self._child = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=child_environment(**{contract.TOKEN_VARIABLE: self.token}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                creationflags=no_window(),
            )
        except OSError as error:
            self._start_error = error
            return
        finally:
            self._started.set()
        end_with_us(int(getattr(self._child, "_handle", 0)))
        self._read_output(self._child)

    def _read_output(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        with child.stdout as stream:
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip()
                self._lines.append(line)
                log.info("| %s", line)
                if self._ready is None:
                    self._ready = _parse_ready(line)
                    if self._ready is not None:
                        self._ready_or_over.set()
        self._ready_or_over.set()
        level = logging.INFO if self._stopping else logging.ERROR
        log.log(level, "The backend's output ended.")


def _parse_ready(line: str) -> Ready | None:
    if not line.startswith("{"):
        return None
    try:
        fields = json.loads(line)
        if fields.get("ready") is not True:
            return None
        return Ready(
            int(fields["port"]),
            int(fields["protocol"]),
            str(fields["version"]),
            int(fields["pid"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
