"""Whoever has taken a backend's port gets nothing: no token, no photo, no proof of ours."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from addon.connection.client import BackendClient
from addon.connection.server_file import read_server_file
from addon.exchange import contract
from tests.addon.refusals import refused
from tests.addon.scripted import ScriptedServer, ok, session_answer
from tests.addon.test_client import BAD_ANSWERS
from tests.backend_client import BackendProcess, session_proof

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-that-nobody-else-knows"
PHOTO = b"the face of somebody " * 1000


class Impostor:
    """Listens, answers every request in its own way, and remembers every byte that it gets."""

    def __init__(self, answer: Callable[[bytes, int], bytes], port: int = 0) -> None:
        self.got = b""
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(0.5)
                try:
                    while request := connection.recv(2**20):
                        self.got += request
                        connection.sendall(self._answer(request, self.port))
                except OSError:
                    continue

    def close(self) -> None:
        """Stop."""
        self._listener.close()


@contextmanager
def impostor(answer: Callable[[bytes, int], bytes], port: int = 0) -> Iterator[Impostor]:
    """Somebody on a port until the block ends, who must have learned nothing."""
    listening = Impostor(answer, port)
    try:
        yield listening
    finally:
        listening.close()
    assert re.match(rb"GET /v1/session\?nonce=[0-9a-f]{64} HTTP/1.1\r\n", listening.got)
    assert listening.got.count(b"HTTP/1.1") == 1  # and no other request
    for secret in (TOKEN.encode(), PHOTO[:20], b"uthorization"):
        assert secret not in listening.got


def echo(request: bytes, port: int) -> bytes:
    """Says back what a client would have to say."""
    nonce = request.partition(b"nonce=")[2][:64].decode()
    proof = session_proof("guessed", "client", port, nonce, nonce)
    return ok(json.dumps({"nonce": nonce, "port": port, "proof": proof}).encode())


def answer_of(**changes: Any) -> bytes:
    fields = {"nonce": "0" * 64, "port": 1, "proof": "0" * 64} | changes
    return ok(json.dumps(fields).encode())


IMPOSTORS: dict[str, tuple[Callable[[bytes, int], bytes], str]] = {
    "guesses the token": (
        lambda request, port: session_answer(request, port, "guessed"),
        "unproven",
    ),
    "says back what it hears": (echo, "unproven"),
    "lets everything pass": (lambda request, port: ok(b'{"job": "j"}'), "unproven"),
    "says zero": (lambda request, port: answer_of(port=port), "unproven"),
    "has no nonce": (lambda request, port: answer_of(nonce=None), "unproven"),
    "has a long nonce": (lambda request, port: answer_of(nonce="0" * 65), "unproven"),
    "has a proof of another kind": (lambda request, port: answer_of(proof=True), "unproven"),
    "has a port of another kind": (lambda request, port: answer_of(port=True), "unproven"),
    "asks for the token": (
        lambda request, port: (
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n"
        ),
        "protocol-mismatch",
    ),
    "closes after its proof": (
        lambda request, port: session_answer(request, port, TOKEN).replace(
            b"OK\r\n", b"OK\r\nConnection: close\r\n"
        ),
        "unproven",
    ),
}


@pytest.mark.parametrize("who", IMPOSTORS)
def test_an_impostor_learns_nothing(who: str) -> None:
    answer, code = IMPOSTORS[who]
    with impostor(answer) as somebody:
        error = refused(BackendClient(somebody.port, TOKEN, timeout=2).submit_face, PHOTO)
    assert error.code == code
    assert error.message and error.remedy


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_whatever_an_impostor_says(answer: bytes) -> None:
    with impostor(lambda request, port: answer) as somebody:
        error = refused(BackendClient(somebody.port, TOKEN, timeout=2).submit_face, PHOTO)
    assert error.code in ("unproven", "bad-response", "connection-lost")


def test_an_older_backend_is_recognised_and_told_nothing() -> None:
    """It answered every request without its token like this."""
    problem = json.dumps({"code": "unauthorized", "detail": "x", "remedy": "y"}).encode()
    refusal = (
        b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/problem+json\r\n"
        b"WWW-Authenticate: Bearer\r\nContent-Length: %d\r\n\r\n%s" % (len(problem), problem)
    )
    with impostor(lambda request, port: refusal) as old:
        error = refused(BackendClient(old.port, TOKEN).health)
    assert error.code == "protocol-mismatch"
    assert "too old" in error.message and "Update the backend" in error.remedy


def test_nobody_can_stand_between(shared_backend: Any) -> None:
    """Who passes everything on to a real backend has to listen at another port."""

    def relay(request: bytes, port: int) -> bytes:
        path = request.split()[1].decode()
        return ok(shared_backend.request("GET", path, headers={}).body)

    between = Impostor(relay)
    try:
        client = BackendClient(between.port, shared_backend.token)
        error = refused(client.submit_face, PHOTO)
    finally:
        between.close()
    assert error.code == "wrong-port" and str(shared_backend.port) in error.remedy
    assert PHOTO[:20] not in between.got and b"uthorization" not in between.got


def test_a_port_that_is_taken_between_two_requests(shared_backend: Any) -> None:
    """Every connection begins with a proof: the last one's does not do."""
    client = BackendClient(shared_backend.port, shared_backend.token)
    assert client.health()
    with impostor(lambda request, port: ok(b'{"job": "j"}')) as somebody:
        client._transport.port = somebody.port
        assert refused(client.submit_face, PHOTO).code == "unproven"


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def written(path: Path, **fields: Any) -> Path:
    """A file as a backend leaves it."""
    path.write_text(json.dumps({"token": TOKEN, "protocol": contract.PROTOCOL} | fields))
    path.chmod(0o600)
    return path


def test_a_server_file_leads_to_its_backend(shared_backend: Any, tmp_path: Path) -> None:
    fields = {"port": shared_backend.port, "token": shared_backend.token, "pid": os.getpid()}
    path = written(tmp_path / "server.json", **fields)
    assert BackendClient.from_server_file(path).health().version
    assert path.exists()


def test_the_file_of_a_dead_backend_is_removed_and_its_port_left_alone(
    tmp_path: Path, dead: int
) -> None:
    somebody = ScriptedServer((ok(b"{}"),), proves=False)
    try:
        path = written(tmp_path / "server.json", port=somebody.port, pid=dead)
        assert refused(BackendClient.from_server_file, path).code == "bad-server-file"
        assert not path.exists() and somebody.requests == []
    finally:
        somebody.close()


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_the_port_of_a_killed_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken by somebody else, while the file of the killed one still leads there."""
    monkeypatch.delenv(contract.TOKEN_VARIABLE, raising=False)
    backend = BackendProcess([], {"SYNERGYFACE_DATA": str(tmp_path)})
    backend.kill()
    path = tmp_path / "server.json"
    left = json.loads(path.read_text())
    secret = left["token"].encode()
    with impostor(echo, backend.port) as somebody:
        # Another process may have got the number of the dead one.
        client = BackendClient.from_server_file(written(path, **left | {"pid": os.getpid()}))
        assert refused(client.submit_face, PHOTO).code == "unproven"
        assert refused(BackendClient.from_server_file, written(path, **left))
        assert not path.exists()
    assert secret not in somebody.got


@pytest.mark.parametrize("pid", [0, -1, 2**40, 1 if os.name == "posix" and os.geteuid() else -7])
def test_numbers_that_no_backend_of_ours_has(tmp_path: Path, pid: int) -> None:
    path = written(tmp_path / "server.json", port=80, pid=pid)
    assert refused(read_server_file, path).code == "bad-server-file"


def test_what_is_no_server_file(tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    for content in ("", "[]", '{"port": "80", "token": "x"}', '{"port": 80}', "[" * 10_000):
        path.write_text(content)
        assert refused(read_server_file, path).code == "bad-server-file"
        assert path.exists()
    assert refused(read_server_file, tmp_path).code == "bad-server-file"
    assert refused(read_server_file, tmp_path / "none").code == "bad-server-file"


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_file_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    for mode in (0o620, 0o602):
        path = written(tmp_path / "server.json", port=80, pid=os.getpid())
        path.chmod(mode)
        error = refused(read_server_file, path)
        assert error.code == "bad-server-file" and str(path) in error.message
        assert path.exists()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert refused(read_server_file, pipe).code == "bad-server-file"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs somebody else")
def test_somebody_else_s_file_is_not_believed(tmp_path: Path) -> None:
    path = written(tmp_path / "server.json", port=80, pid=os.getpid())
    os.chown(path, 12345, -1)
    assert refused(read_server_file, path).code == "bad-server-file"
