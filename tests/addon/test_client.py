"""The add-on's HTTP client, against the real server and against servers that misbehave."""

from __future__ import annotations

import ast
import json
import socket
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from addon.connection import client as client_module
from addon.connection.client import BackendClient, BackendError
from addon.exchange import contract
from addon.exchange.orders import PhotoOrder
from backend.errors import MissingAssetError
from backend.server.limits import Limits
from tests.addon.refusals import refused
from tests.addon.scripted import ScriptedServer, ok, session_answer

Start = Callable[..., Any]


def client_of(backend: Any) -> BackendClient:
    return BackendClient(backend.port, backend.token)


def finished(client: BackendClient, job: str) -> Any:
    status = client.job(job)
    while not status.finished:
        status = client.job(job, wait=5, since=status.revision)
    return status


CONNECTION = Path(str(client_module.__file__)).parent
MODULES = ("address", "alive", "answers", "client", "error", "server_file", "transport")


def test_needs_the_standard_library_and_numpy_only() -> None:
    shared = list(CONNECTION.with_name("exchange").rglob("*.py"))
    assert shared
    for path in [*(CONNECTION / f"{name}.py" for name in MODULES), *shared]:
        imported = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
        }
        assert imported <= sys.stdlib_module_names | {"numpy"}


def test_photo_to_faces(shared_backend: Any) -> None:
    client = client_of(shared_backend)
    assert client.health().version
    job = client.submit_face(b"four", PhotoOrder("all", None))
    status = finished(client, job)
    assert (status.state, status.progress, status.problem) == ("done", 1.0, None)
    (face,) = client.result(job).faces
    assert face.expression[0] == 4
    assert shared_backend.reconstructor.calls[-1] == ("all", None)
    client.cancel(job)
    assert refused(client.result, job).code == "no-such-job"


def test_the_model_is_fetched_once(shared_backend: Any) -> None:
    client = client_of(shared_backend)
    while client.health().state != "ready":
        time.sleep(0.01)
    model = client.model()
    assert model.triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert client.model() is model


def test_problems_of_a_job(shared_backend: Any) -> None:
    client = client_of(shared_backend)
    job = client.submit_face(b"no face")
    problem = finished(client, job).problem
    assert isinstance(problem, BackendError)
    for error in (problem, refused(client.result, job)):
        assert error.code == "no-face"
        assert error.message == "There is no face in the photo."
        assert error.remedy == "Take another one."
        assert str(error) == "There is no face in the photo. Take another one."


def test_a_wrong_token(shared_backend: Any) -> None:
    error = refused(BackendClient(shared_backend.port, "wrong").health)
    assert error.code == "unproven" and error.remedy


def test_failed_loading(start_backend: Start) -> None:
    def load() -> Any:
        raise MissingAssetError("The face model is missing.", "Run `synergyface assets fetch`.")

    client = client_of(start_backend(load=load))
    while (health := client.health()).state != "failed":
        time.sleep(0.01)
    assert health.problem and health.problem.remedy == "Run `synergyface assets fetch`."
    assert refused(client.submit_face, b"x").code == "missing-asset"
    assert refused(client.model).code == "missing-asset"


def test_cancel_and_full_queue(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(waiting_jobs=1))
    client = client_of(backend)
    running = client.submit_face(b"slow")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=5)
    client.submit_face(b"fast")
    assert refused(client.submit_face, b"fast").code == "queue-full"
    assert refused(client.result, running).code == "not-done"
    client.cancel(running)
    assert finished(client, running).state == "cancelled"
    assert refused(client.result, running).code == "cancelled"


def test_a_large_photo_is_refused_here(start_backend: Start) -> None:
    photo = bytes(contract.MAX_PHOTO_BYTES + 1)
    assert refused(BackendClient(1, "token").submit_face, photo).code == "too-large"
    backend = start_backend()
    job = client_of(backend).submit_face(photo[:-1])
    assert finished(client_of(backend), job).state == "done"


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(*pieces: bytes, linger: float = 0) -> ScriptedServer:
        servers.append(ScriptedServer(pieces, linger))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_proxies_are_ignored(
    shared_backend: Any, scripted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = scripted(ok(b"{}"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    assert client_of(shared_backend).health().version
    assert proxy.requests == []


def health_of(**changes: Any) -> bytes:
    fields = {
        "state": "ready",
        "device": "cpu",
        "version": "9.9.9",
        "versions": {},
        "protocol": contract.PROTOCOL,
        "problem": None,
    }
    return json.dumps(fields | changes).encode()


def health_error(server: ScriptedServer, timeout: float = 5) -> BackendError:
    return refused(BackendClient(server.port, "token", timeout=timeout).health)


def test_redirects_are_not_followed(scripted: Callable[..., ScriptedServer]) -> None:
    target = scripted(ok(health_of()))
    for status in (b"301 Moved", b"302 Found", b"307 Temporary", b"308 Permanent"):
        redirect = scripted(
            b"HTTP/1.1 %s\r\nLocation: http://127.0.0.1:%d/v1/health\r\n"
            b"Content-Length: 0\r\n\r\n" % (status, target.port)
        )
        error = health_error(redirect)
        assert error.code == "bad-response" and "redirect" in error.message
    assert target.requests == []


ENDLESS = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
BAD_ANSWERS = {
    "not JSON": ok(b"<html>"),
    "not an object": ok(b"[]"),
    "deep": ok(b"[" * 100_000),
    "empty": ok(b""),
    "missing fields": ok(b"{}"),
    "wrong state": ok(health_of(state="dancing")),
    "wrong device": ok(health_of(device=3)),
    "bool protocol": ok(health_of(protocol=True)),
    "text protocol": ok(health_of(protocol="1")),
    "wrong problem": ok(health_of(problem="bad")),
    "lying length": ok(b"x", length=2**40),
    "endless": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + ENDLESS * 40,
    "no explanation": b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nOops",
    "no HTTP": b"SSH-2.0-OpenSSH_9\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304 unasked": b"HTTP/1.1 304 Not Modified\r\n\r\n",
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_answers_that_cannot_be_used(
    scripted: Callable[..., ScriptedServer], answer: bytes
) -> None:
    server = scripted(answer)
    tracemalloc.start()
    try:
        error = health_error(server)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert error.code == "bad-response"
    assert error.remedy


@pytest.mark.parametrize(
    "answer",
    [b"", ok(b"{", length=10), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"],
    ids=["nothing", "half a body", "half a chunk"],
)
def test_connections_that_break(scripted: Callable[..., ScriptedServer], answer: bytes) -> None:
    assert health_error(scripted(answer)).code == "connection-lost"


def test_a_result_that_breaks_the_contract(scripted: Callable[..., ScriptedServer]) -> None:
    bodies = (b"SFC1", contract.encode({"kind": "model", "protocol": contract.PROTOCOL}, {}))
    for body in bodies:
        client = BackendClient(scripted(ok(body)).port, "token")
        assert refused(client.result, "job").code == "bad-response"
        assert refused(client.model).code == "bad-response"


def test_a_silent_backend(scripted: Callable[..., ScriptedServer]) -> None:
    began = time.monotonic()
    assert health_error(scripted(linger=5), timeout=0.2).code == "timeout"
    assert time.monotonic() - began < 2


def test_a_backend_that_does_not_read_what_it_is_sent(
    scripted: Callable[..., ScriptedServer],
) -> None:
    client = BackendClient(scripted(linger=5).port, "token", timeout=0.3)
    began = time.monotonic()
    assert refused(client.submit_face, bytes(32 * 2**20)).code == "timeout"
    assert time.monotonic() - began < 3


def test_a_slow_way_to_the_backend_takes_longer_than_the_time_out() -> None:
    """As through a tunnel: 48 MiB at 32 MiB a second, with a time-out of half a second."""
    photo, read = bytes(48 * 2**20), 0

    def serve() -> None:
        nonlocal read
        connection, _ = listener.accept()
        with connection:
            connection.sendall(session_answer(connection.recv(65536), port))
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(1)
            while read < len(photo) and (piece := connection.recv(2**20)):
                read += len(piece)
                never.wait(len(piece) / (32 * 2**20))
            connection.sendall(ok(b'{"job": "j"}'))

    never = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=serve, daemon=True).start()
        assert BackendClient(port, "token", timeout=0.5).submit_face(photo) == "j"
    assert read == len(photo)


def test_no_backend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = refused(BackendClient(port, "token").health)
    assert error.code == "unreachable"
    assert str(port) in error.message and "Start the backend" in error.remedy


@pytest.mark.parametrize(
    ("protocol", "older", "advice"),
    [
        (contract.PROTOCOL - 1, "The backend is too old", "Update the backend"),
        (contract.PROTOCOL + 1, "The add-on is too old", "Install version 9.9.9 of the add-on"),
    ],
)
def test_another_protocol(
    scripted: Callable[..., ScriptedServer], protocol: int, older: str, advice: str
) -> None:
    # Whatever else that version of the protocol says need not be understood.
    error = health_error(scripted(ok(health_of(protocol=protocol, state="new", versions=3))))
    assert error.code == "protocol-mismatch"
    assert error.message.startswith(older) and error.remedy.startswith(advice)


def test_a_job_id_cannot_leave_its_path(scripted: Callable[..., ScriptedServer]) -> None:
    server = scripted(ok(b"{}"))
    refused(BackendClient(server.port, "token").job, "../../x?y#z\r\nHost: evil")
    line = server.requests[0].split(b"\r\n")[0]
    assert line.startswith(b"GET /v1/jobs/..%2F..%2Fx%3Fy%23z%0D%0AHost%3A%20evil?wait=0 ")


@pytest.mark.parametrize("token", ["", "  ", "a b", "a\r\nHost: evil", "t\xf6ken"])
def test_what_is_no_token(token: str) -> None:
    assert refused(BackendClient, 80, token).code == "bad-token"
