"""What goes wrong around a backend that works: it says so, goes on, and loses no job."""

from __future__ import annotations

import ctypes
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backend.errors import OutOfMemoryError
from backend.exchange import contract
from backend.server.jobs import JobQueue
from backend.server.limits import Limits
from backend.server.problems import ProblemError
from tests.conftest import FakeReconstructor, RunningBackend

Start = Callable[..., RunningBackend]


def assert_works(backend: RunningBackend) -> None:
    """A job comes to its end."""
    assert backend.finished(backend.submit(b"fast"))["state"] == "done"


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def open_request(backend: RunningBackend, head: str, body: bytes = b"") -> socket.socket:
    """Connection on which a POST has begun."""
    connection = socket.create_connection(("127.0.0.1", backend.port), timeout=20)
    connection.sendall(
        f"POST /v1/faces HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {backend.authorization}\r\n{head}\r\n\r\n".encode()
        + body
    )
    return connection


def everything_from(connection: socket.socket) -> bytes:
    """What comes until the other side is done; nothing if it just hangs up."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def test_the_worker_survives_being_killed(start_backend: Start) -> None:
    """SystemExit out of nowhere is what Python has in place of killing a thread."""
    backend = start_backend()
    killed, waiting = backend.submit(b"slow"), backend.submit(b"fast")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=10)
    (worker,) = {t.ident for t in threading.enumerate() if t.name == "worker"}
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(worker or 0), ctypes.py_object(SystemExit)
    )
    status = backend.finished(killed)
    assert (status["state"], status["problem"]["code"]) == ("failed", "internal")
    assert backend.finished(waiting)["state"] == "done"
    assert_works(backend)


def test_a_client_that_is_gone_leaves_its_place_free(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(waiting_jobs=1))
    for ending in (b"", b"x" * 50_000):
        connection = open_request(backend, "Content-Length: 100000", ending)
        wait_for(lambda: backend.request("POST", "/v1/faces", b"fast").status == 429)
        # Closes with a reset, as the end of a process does.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        wait_for(lambda: backend.request("POST", "/v1/faces", b"fast").status == 202)
    assert backend.reconstructor.calls  # those that came whole were done


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /v1/fa",
        b"POST /v1/faces HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthor",
        b"POST /v1/faces HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n"
        b"Content-Length: 100\r\n\r\nhalf",
        b"POST /v1/faces HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nha",
    ],
    ids=["nothing", "half a line", "half a header", "half a body", "half a chunk"],
)
def test_half_a_request_is_dropped(start_backend: Start, sent: bytes) -> None:
    backend = start_backend(limits=Limits(waiting_jobs=1, stall_seconds=0.5))
    with socket.create_connection(("127.0.0.1", backend.port), timeout=20) as connection:
        began = time.monotonic()
        connection.sendall(sent.replace(b"{authorization}", backend.authorization.encode()))
        assert everything_from(connection) == b""
        assert time.monotonic() - began > 0.4
    assert_works(backend)


def test_waiting_for_an_answer_is_no_stalling(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(stall_seconds=0.3))
    job = backend.submit(b"slow")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=10)
    revision = backend.request("GET", f"/v1/jobs/{job}").json()["revision"] + 10**6
    began = time.monotonic()
    answer = backend.request("GET", f"/v1/jobs/{job}?wait=1.5&since={revision}")
    assert answer.status == 200 and time.monotonic() - began < 9
    answer = backend.request("GET", f"/v1/jobs/{backend.submit(b'waits')}?wait=1.5")
    assert (answer.status, answer.json()["state"]) == (200, "queued")


def test_a_slow_client_is_served_and_holds_nobody_up(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(stall_seconds=5))
    connection = open_request(backend, "Content-Length: 20\r\nConnection: close")
    for byte in range(20):
        connection.sendall(bytes([byte]))
        began = time.monotonic()
        assert_works(backend)
        assert time.monotonic() - began < 5
    assert everything_from(connection).startswith(b"HTTP/1.1 202 ")


class LargeModel(FakeReconstructor):
    """Has a model of 30 MB, more than the system's buffers take."""

    def static_model(self) -> contract.StaticModel:
        n = 200_000
        return replace(
            super().static_model(),
            mean=np.zeros((n, 3), np.float32),
            uv=np.zeros((n, 2), np.float32),
            expression_basis=np.zeros((10, n, 3), np.float32),
            regions={},
        )


def ask_for_model(backend: RunningBackend, connection_header: str = "close") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", backend.port), timeout=20)
    connection.sendall(model_request(backend, connection_header))
    return connection


def model_request(backend: RunningBackend, connection_header: str) -> bytes:
    return (
        f"GET /v1/model HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: {connection_header}\r\n"
        f"Authorization: {backend.authorization}\r\n\r\n"
    ).encode()


def test_a_client_that_does_not_read_is_dropped(
    start_backend: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    backend = start_backend(load=LargeModel, limits=Limits(stall_seconds=2))
    wait_for(lambda: backend.get("/v1/health").json()["state"] == "ready")
    whole = len(backend.get("/v1/model").body)
    with ask_for_model(backend) as connection:
        # Reads slowly, but reads: more than the two seconds, and all of it.
        received = 0
        for _ in range(8):
            received += len(connection.recv(2**21, socket.MSG_WAITALL))
            time.sleep(0.4)
        assert received + len(everything_from(connection)) > whole
    assert "Dropped a client" not in caplog.text
    with ask_for_model(backend) as connection:
        wait_for(lambda: "Dropped a client" in caplog.text)
        assert len(everything_from(connection)) < whole


def test_a_client_that_asks_again_and_does_not_read_is_dropped(
    start_backend: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    backend = start_backend(load=LargeModel, limits=Limits(stall_seconds=1))
    wait_for(lambda: backend.get("/v1/health").json()["state"] == "ready")
    with ask_for_model(backend, "keep-alive") as connection:
        # The answer has filled the system's buffers by then.
        time.sleep(0.5)
        connection.sendall(model_request(backend, "keep-alive"))
        wait_for(lambda: "Dropped a client" in caplog.text)


def test_running_out_of_memory_is_advised_about(start_backend: Start) -> None:
    class Greedy(FakeReconstructor):
        def faces(self, photo: bytes, *args: Any, **kwargs: Any) -> Any:
            if photo.startswith(b"numpy"):
                raise MemoryError("Unable to allocate 20.0 GiB")
            if photo.startswith(b"cuda"):
                raise OutOfMemoryError("memory of the graphics card")
            return super().faces(photo, *args, **kwargs)

    backend = start_backend(load=Greedy)
    for photo in (b"numpy", b"cuda"):
        problem = backend.finished(backend.submit(photo))["problem"]
        assert problem["code"] == "out-of-memory"
        assert "memory" in problem["detail"] and "Close other programs" in problem["remedy"]
        assert_works(backend)


def test_a_clock_that_jumps_changes_nothing(
    start_backend: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = start_backend(limits=Limits(wait_seconds=0.5))
    kept = backend.submit(b"fast")
    backend.finished(kept)
    running = backend.submit(b"slow")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=10)
    now = time.time
    for jump in (-3.0e9, 3.0e9):
        monkeypatch.setattr(time, "time", lambda jump=jump: now() + jump)
        assert backend.request("GET", f"/v1/jobs/{kept}/result").status == 200
        began = time.monotonic()
        poll = backend.request("GET", f"/v1/jobs/{backend.submit(b'waits')}?wait=60")
        assert poll.json()["state"] == "queued"
        assert 0.4 < time.monotonic() - began < 9
        assert backend.request("GET", f"/v1/jobs/{running}").json()["state"] == "running"
    backend.reconstructor.release.set()
    assert backend.finished(running)["state"] == "done"
    assert_works(backend)


def test_a_sleeping_computer_loses_no_running_job() -> None:
    """Some monotonic clocks go on while the computer sleeps."""
    hours = [0.0]
    queue = JobQueue(Limits(), clock=lambda: 3600 * hours[0])
    release = threading.Event()
    running = queue.submit(lambda progress: b"result" if release.wait(10) else b"")
    waiting = queue.submit(lambda progress: b"another")
    threading.Thread(target=queue.run, daemon=True).start()
    wait_for(lambda: queue.status(running).state == "running")
    hours[0] = 9.0
    release.set()
    wait_for(lambda: queue.status(waiting).finished)
    assert (queue.result(running), queue.result(waiting)) == (b"result", b"another")
    queue.close()


def test_a_thousand_cancels(start_backend: Start) -> None:
    """Of jobs that run, wait, are done or are gone; by eight clients at once."""
    backend = start_backend(limits=Limits(kept_jobs=16))

    def client(number: int) -> None:
        for turn in range(125):
            job = backend.submit((b"slow", b"fast")[(turn + number) % 2])
            assert backend.request("DELETE", f"/v1/jobs/{job}").status in (200, 404)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))
    # It comes after all of them in the queue, so none of them is left there.
    assert_works(backend)
    assert backend.reconstructor.slow_ones_stopped.acquire(timeout=10)


def test_a_place_that_gets_no_work_is_free_again() -> None:
    queue = JobQueue(Limits(waiting_jobs=1))
    with queue.place(10), pytest.raises(ProblemError) as caught:
        queue.submit(lambda progress: b"")
    assert caught.value.problem.code == "queue-full"
    assert caught.value.headers and int(caught.value.headers["Retry-After"]) > 0
    queue.submit(lambda progress: b"")


def test_what_requests_hold_in_memory_is_bounded() -> None:
    queue = JobQueue(Limits(waiting_jobs=100, waiting_bytes=100))
    with queue.place(1000) as enter:  # a single one is always let in
        enter(lambda progress: b"")
    with pytest.raises(ProblemError) as caught, queue.place(1):
        pass
    assert caught.value.problem.status == 429
    threading.Thread(target=queue.run, daemon=True).start()
    wait_for(lambda: not _full(queue))
    queue.close()


def _full(queue: JobQueue) -> bool:
    try:
        with queue.place(60), queue.place(40):
            return False
    except ProblemError:
        return True
