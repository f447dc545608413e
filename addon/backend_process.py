"""Find the backend, start it as a child process, watch it, stop it. No ``bpy`` here.

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
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import contract
from .advice import advice_for
from .client import BackendError

PYTHON_VARIABLE = "SYNERGYFACE_PYTHON"
DATA_VARIABLE = "SYNERGYFACE_DATA"
STOP_SECONDS = 5.0
REMEMBERED_LINES = 200
# Our own child may read clips by the paths that are chosen in Blender's file browser.
SERVE = ("serve", "--exit-with-parent", "--allow-paths")
PREFERENCES_REMEDY = (
    "Install the backend (its README says how), or set its Python in the add-on's preferences."
)
# Blender's own settings of these would make the backend's Python look for the wrong modules.
UNWANTED_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")

log = logging.getLogger(__package__).getChild("backend")


@dataclass(frozen=True)
class Ready:
    """The line that the backend prints once it listens."""

    port: int
    protocol: int
    version: str
    pid: int


def find_command(
    python: str = "", environment: Mapping[str, str] = os.environ, home: Path | None = None
) -> tuple[str, ...]:
    """Command that starts the backend.

    Parameters
    ----------
    python
        Path of the Python that has the backend; empty searches ``$SYNERGYFACE_PYTHON``, then the
        one that `synergyface assets fetch` wrote down, then the ``.venv`` of the places where it
        is usually installed, then ``synergyface`` on the PATH.
    environment, home
        Where to search.

    Raises
    ------
    BackendError
        ``no-backend``: there is none.
    """
    chosen = python or environment.get(PYTHON_VARIABLE, "")
    if chosen:
        path = Path(chosen).expanduser()
        if not path.is_file():
            source = "The preferences" if python else f"${PYTHON_VARIABLE}"
            raise BackendError(
                f"{source} name a Python that does not exist: {path}.",
                PREFERENCES_REMEDY,
                "no-backend",
            )
        return (str(path), "-m", "backend.cli", *SERVE)
    home = home or Path.home()
    recorded = recorded_python(data_folder(environment, home))
    if recorded:
        return (str(recorded), "-m", "backend.cli", *SERVE)
    for folder in install_folders(environment, home):
        for inside in (".venv/bin/python", ".venv/Scripts/python.exe"):
            if (folder / inside).is_file():
                return (str(folder / inside), "-m", "backend.cli", *SERVE)
    program = shutil.which("synergyface", path=environment.get("PATH"))
    if program:
        return (program, *SERVE)
    raise BackendError("The SynergyFace backend was not found.", PREFERENCES_REMEDY, "no-backend")


def recorded_python(folder: Path) -> Path | None:
    """The Python that the backend wrote down in its data folder, if it is still there."""
    try:
        record = json.loads((folder / "installation.json").read_text(encoding="utf-8"))
        python = Path(record["python"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return python if python.is_file() else None


def install_folders(environment: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Folders in which the backend is usually installed, most particular first."""
    data = data_folder(environment, home)
    yield data
    for parent in (home, home / "Documents", home / "Downloads"):
        for name in ("SynergyFace", "synergyface"):
            yield parent / name


def data_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Folder in which the backend keeps its data; the same rule as the backend's own."""
    if environment.get(DATA_VARIABLE):
        return Path(environment[DATA_VARIABLE]).expanduser()
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData/Local") / "synergyface"
    if sys.platform == "darwin":
        return home / "Library/Application Support/synergyface"
    return Path(environment.get("XDG_DATA_HOME") or home / ".local/share") / "synergyface"


def server_file() -> Path:
    """Where a backend that was started by hand leaves its port and token."""
    return data_folder(os.environ, Path.home()) / "server.json"


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
        self._lines: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self._ready: Ready | None = None
        self._ready_or_over = threading.Event()
        self._stopping = False
        environment = {k: v for k, v in os.environ.items() if k not in UNWANTED_VARIABLES}
        environment |= {contract.TOKEN_VARIABLE: self.token, "PYTHONUNBUFFERED": "1"}
        log.info("Starting %s", " ".join(command))
        try:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment | {"PYTHONUTF8": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise BackendError(
                f"The backend cannot be started: {command[0]}: {error.strerror}.",
                PREFERENCES_REMEDY,
                "no-backend",
            ) from error
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        atexit.register(self.stop)

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._process.poll() is None

    def ends_within(self, seconds: float) -> bool:
        """Whether the child has ended, or does within some seconds."""
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
                    f"The backend did not get ready within {timeout:.0f} seconds.",
                    "Open the log in the add-on's preferences to see what it was doing, and try "
                    "again.",
                    "start-timeout",
                )
        if self._ready is None:
            raise self.failure()
        return self._ready

    def failure(self) -> BackendError:
        """Why the child stopped: a known failure found in its output, or its exit code."""
        if self._stopping:
            return BackendError("The backend was stopped.", "Start it again.", "backend-stopped")
        self.ends_within(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        return advice_for("\n".join(self._lines), self._process.returncode, self._command[0])

    def stop(self) -> None:
        """End the child: by closing its input, then by a signal, then by force."""
        atexit.unregister(self.stop)
        self._stopping = True
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        for end in (self._process.terminate, self._process.kill, lambda: None):
            try:
                self._process.wait(STOP_SECONDS)
                break
            except subprocess.TimeoutExpired:
                end()
        self._reader.join(STOP_SECONDS)

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
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
