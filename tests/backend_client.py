"""Bare HTTP to a backend under test, and the backend as a real process."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

SERVE = [sys.executable, "-m", "backend.cli", "serve"]
PROCESS_TOKEN = "a-token-of-the-parent-process"
FINISHED = ("done", "failed", "cancelled")


@dataclass
class Answer:
    """Of the backend under test."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body's JSON object."""
        return json.loads(self.body)


def session_proof(token: str, prover: str, port: int, client: str, backend: str) -> str:
    """As `backend.exchange.handshake` describes it, written down a second time."""
    said = f"synergyface session {prover} {port} {client} {backend}".encode()
    return hmac.digest(token.encode(), said, hashlib.sha256).hex()


class BackendClient:
    """Asks a backend on a port of this computer; every request has its own connection."""

    def __init__(self, port: int, token: str, timeout: float = 10) -> None:
        self.port = port
        self.token = token
        self.timeout = timeout
        self._authorization = ""

    @property
    def authorization(self) -> str:
        """Header of a session, opened at first use. Tests trust what listens on the port."""
        if not self._authorization:
            nonce = secrets.token_hex(32)
            answer = self.request("GET", f"/v1/session?nonce={nonce}", headers={}).json()
            assert answer["proof"] == session_proof(
                self.token, "backend", self.port, nonce, answer["nonce"]
            )
            proof = session_proof(self.token, "client", self.port, nonce, answer["nonce"])
            self._authorization = f"Bearer {nonce}.{answer['nonce']}.{proof}"
        return self._authorization

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries unless it says otherwise."""
        return {"Authorization": self.authorization}

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send with the proof of a session unless `headers` says otherwise."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            connection.request(method, path, body, self.headers if headers is None else headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        """GET with the proof of a session."""
        return self.request("GET", path)

    def submit(self, photo: bytes, query: str = "") -> str:
        """Id of a new job."""
        answer = self.request("POST", f"/v1/faces{query}", photo)
        assert answer.status == 202, answer.body
        return answer.json()["job"]

    def finished(self, job: str, seconds: float = 10) -> dict[str, Any]:
        """Status of a job once it has ended."""
        deadline = time.monotonic() + seconds
        known = -1
        while True:
            status = self.get(f"/v1/jobs/{job}?wait=1&since={known}").json()
            if status["state"] in FINISHED:
                return status
            assert time.monotonic() < deadline, status
            known = status["revision"]


class BackendProcess(BackendClient):
    """`synergyface serve` as a child process, once it has said that it is ready.

    Parameters
    ----------
    arguments
        For `serve`.
    environment
        Changes to this process's own.
    before
        Called in the child before it becomes `serve` (POSIX only).
    traced
        A command that runs another one and watches it.
    """

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        before: Callable[[], None] | None = None,
        traced: Sequence[str] = (),
    ) -> None:
        # A file, because nobody reads along, and a full pipe would hold the backend up.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [*traced, *SERVE, *arguments],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            preexec_fn=before,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.end()
        self.ready: dict[str, Any] = json.loads(line)
        super().__init__(self.ready["port"], PROCESS_TOKEN, timeout=60)

    def loaded(self, seconds: float = 150) -> dict[str, Any]:
        """Document of health once the models are loaded, or could not be."""
        deadline = time.monotonic() + seconds
        while (health := self.get("/v1/health").json())["state"] in ("starting", "loading"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return health

    def finished(self, job: str, seconds: float = 120) -> dict[str, Any]:
        """Status of a job once it has ended."""
        return super().finished(job, seconds)

    def end(self, seconds: float = 30) -> tuple[int, str, str]:
        """Exit code, the rest of stdout, and stderr of a process that is ending."""
        out, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, out.decode(), self.log()

    def log(self) -> str:
        """What it has written to stderr."""
        self._log.seek(0)
        return self._log.read().decode()

    def kill(self) -> None:
        """End it at once, whatever it does."""
        with self._log, self.process:
            self.process.kill()
