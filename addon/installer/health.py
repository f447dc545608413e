"""Ask a freshly installed backend whether it is well: start it, and wait until it is ready."""

from __future__ import annotations

import http.client
import json
import queue
import secrets
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..exchange.handshake import ProvenConnection
from .children import REMEMBERED_LINES, CommandError, tethered

START_SECONDS = 120.0
LOAD_SECONDS = 300.0
POLL_SECONDS = 0.3
REQUEST_SECONDS = 10.0


def check_health(
    python: Path, variables: dict[str, str], report: Callable[[str], None]
) -> dict[str, Any]:
    """Return the document of ``GET /v1/health`` of a backend that has loaded its models.

    Parameters
    ----------
    python
        The Python of its environment.
    variables
        Added to its environment variables.
    report
        Hears several times a second what is waited for; may raise, which ends the backend.

    Raises
    ------
    CommandError
        It did not start, or could not load its models; with its output.
    """
    token = secrets.token_urlsafe(32)
    variables = variables | {"SYNERGYFACE_TOKEN": token}
    with tethered(python, ("backend.cli", "serve"), variables) as child:
        output = _Output(child)
        port = output.wait_for_port(report)
        deadline = time.monotonic() + LOAD_SECONDS
        while True:
            report("Loading the models")
            health = _ask(port, token)
            if health.get("state") == "ready":
                return health
            if child.poll() is not None:
                raise CommandError(output.text or "The new backend stopped.")
            if health.get("state") == "failed":
                problem = health.get("problem") or {}
                words = f"{problem.get('detail', '')} {problem.get('remedy', '')}".strip()
                raise CommandError(words or output.text)
            if time.monotonic() > deadline:
                raise CommandError(f"The models were not loaded after {LOAD_SECONDS:.0f} seconds.")
            time.sleep(POLL_SECONDS)


class _Output:
    """Reads what the backend prints, in a thread."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._last: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self._port: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def text(self) -> str:
        """The last lines."""
        return "\n".join(self._last)

    def wait_for_port(self, report: Callable[[str], None]) -> int:
        """Return the port of the ready line."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            report("Starting the new backend")
            try:
                port = self._port.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if port is None:
                break
            return port
        raise CommandError(self.text or "The new backend did not start.")

    def _read(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as stream:
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip()
                self._last.append(line)
                if line.startswith('{"ready": true'):
                    self._port.put(int(json.loads(line)["port"]))
        self._port.put(None)


def _ask(port: int, token: str) -> dict[str, Any]:
    """Return the document; empty if there was no answer, as a backend that loads libraries may
    give.
    """
    connection = ProvenConnection(port, token, timeout=REQUEST_SECONDS)
    try:
        connection.request("GET", "/v1/health")
        return dict(json.loads(connection.getresponse().read()))
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
