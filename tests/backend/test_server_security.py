"""Who is refused, and how: every refusal is a problem document."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from backend.server.limits import Limits
from backend.server.security import is_loopback

Start = Callable[..., Any]


def assert_problem(answer: Any, status: int, code: str) -> None:
    """RFC 9457, and our own two members."""
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == f"urn:synergyface:problem:{code}"
    assert document["title"] and document["detail"] and document["remedy"]


NONCE = "0123456789abcdef" * 4
# What is made of the header of a session that was opened here.
WRONG_HEADERS: dict[str, Callable[[str, str], str]] = {
    "nothing": lambda good, token: "",
    "no more than the scheme": lambda good, token: "Bearer ",
    "another scheme": lambda good, token: good.replace("Bearer", "Basic"),
    "no scheme": lambda good, token: good.removeprefix("Bearer "),
    "the token itself": lambda good, token: f"Bearer {token}",
    "the half": lambda good, token: good[: len(good) // 2],
    "one more": lambda good, token: good + "0",
    "twice": lambda good, token: f"{good}, {good}",
    "capitals": lambda good, token: good.upper().replace("BEARER", "Bearer"),
    "no ASCII": lambda good, token: good[:-1] + "\xfc",
    "another client's nonce": lambda good, token: good.replace(good[7:71], NONCE),
    "another proof": lambda good, token: good[:-64] + NONCE,
}


@pytest.mark.parametrize("what", WRONG_HEADERS)
@pytest.mark.parametrize("path", ["/v1/health", "/v1/model", "/v1/session/", "/nowhere"])
def test_a_proof_is_asked_for(shared_backend: Any, what: str, path: str) -> None:
    value = WRONG_HEADERS[what](shared_backend.authorization, shared_backend.token)
    answer = shared_backend.request("GET", path, headers={"Authorization": value})
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_no_proof_and_no_work(shared_backend: Any) -> None:
    calls = len(shared_backend.reconstructor.calls)
    assert_problem(shared_backend.request("GET", "/v1/health", headers={}), 401, "unauthorized")
    answer = shared_backend.request("POST", "/v1/faces", b"fast", headers={})
    assert_problem(answer, 401, "unauthorized")
    shared_backend.finished(shared_backend.submit(b"fast"))
    assert len(shared_backend.reconstructor.calls) == calls + 1


GOOD_HOSTS = ["127.0.0.1", "127.0.0.1:1", "localhost", "LocalHost:8123", "[::1]:8123", "127.3.4.5"]
BAD_HOSTS = [
    "evil.example",
    "127.0.0.1.evil.example:80",
    "localhost.evil.example",
    "localhost.",
    "localhost:port",
    "user@127.0.0.1",
    "127.0.0.1@evil.example",
    "127.0.0.1/x",
    "127.0.0.1 evil",
    "0.0.0.0",
    "127.1",
    "2130706433",
    "192.168.1.2:8000",
    "[::1",
]


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_rebound_name_is_refused_even_with_a_proof(shared_backend: Any, host: str) -> None:
    headers = shared_backend.headers | {"Host": host}
    assert_problem(shared_backend.request("GET", "/v1/health", headers=headers), 421, "bad-host")


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_a_tunnel_s_port_is_accepted(shared_backend: Any, host: str) -> None:
    headers = shared_backend.headers | {"Host": host}
    assert shared_backend.request("GET", "/v1/health", headers=headers).status == 200


def test_an_empty_host_is_no_loopback() -> None:
    assert not is_loopback("")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "file://", "http://127.0.0.1.evil.example",
     "https://localhost.evil.example:443", "chrome-extension://127.0.0.1"],
)  # fmt: skip
def test_other_origins_are_refused_even_with_a_proof(shared_backend: Any, origin: str) -> None:
    headers = shared_backend.headers | {"Origin": origin}
    answer = shared_backend.request("GET", "/v1/health", headers=headers)
    assert_problem(answer, 403, "bad-origin")


def test_no_cors(shared_backend: Any) -> None:
    origin = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    answer = shared_backend.request("GET", "/v1/health", headers=shared_backend.headers | origin)
    assert answer.status == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    preflight = shared_backend.request("OPTIONS", "/v1/faces", headers=origin)
    assert_problem(preflight, 401, "unauthorized")


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/redoc", "/openapi.json", "/v1/health/", "/v1/jobs/", "/v1/../v1"]
)
def test_nothing_else_is_served(shared_backend: Any, path: str) -> None:
    assert_problem(shared_backend.request("GET", path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/v1/health"), ("GET", "/v1/faces"), ("PUT", "/v1/jobs/x"), ("TRACE", "/v1/model")],
)
def test_other_methods_are_refused(shared_backend: Any, method: str, path: str) -> None:
    assert_problem(shared_backend.request(method, path), 405, "method-not-allowed")


@pytest.mark.parametrize(
    "query",
    ["which=some", "texture_size=1000", "texture_size=big", "texture_size=-1"],
)
def test_wrong_parameters_of_a_job(shared_backend: Any, query: str) -> None:
    answer = shared_backend.request("POST", f"/v1/faces?{query}", b"fast")
    assert_problem(answer, 422, "bad-parameter")
    assert query.split("=")[0] in answer.json()["detail"]


@pytest.mark.parametrize("query", ["wait=-1", "wait=nan", "wait=inf", "wait=x", "since=x"])
def test_wrong_parameters_of_a_long_poll(shared_backend: Any, query: str) -> None:
    assert_problem(shared_backend.request("GET", f"/v1/jobs/x?{query}"), 422, "bad-parameter")


def test_an_empty_body_is_no_photo(shared_backend: Any) -> None:
    assert_problem(shared_backend.request("POST", "/v1/faces", b""), 422, "bad-input")


def test_an_error_in_the_server_itself_is_a_problem_too(
    start_backend: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any) -> None:
        raise RuntimeError("/home/somebody")

    monkeypatch.setattr("backend.server.models.Models.health", broken)
    answer = start_backend().request("GET", "/v1/health")
    assert_problem(answer, 500, "internal")
    assert b"/home/somebody" not in answer.body


LIMIT = 100_000


def converse(backend: Any, head: str, *pieces: bytes, close: bool = False) -> bytes:
    """Send a POST by hand; returns everything that comes back.

    The first piece goes with the head: one that came after the answer would reset the connection.
    """
    request = (
        f"POST /v1/faces HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: {backend.authorization}\r\n{head}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", backend.port), timeout=10) as connection:
        connection.sendall(request.encode() + b"".join(pieces[:1]))
        for piece in pieces[1:]:
            connection.sendall(piece)
        if close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65536):
            answer += received
    return answer


def chunks(total: int, size: int = 5000) -> bytes:
    whole = b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for _ in range(total // size))
    return whole + b"0\r\n\r\n"


def test_body_limits(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(photo_bytes=LIMIT))
    exact = converse(backend, f"Content-Length: {LIMIT}", b"x" * LIMIT)
    assert exact.startswith(b"HTTP/1.1 202 ")
    chunked = converse(backend, "Transfer-Encoding: chunked", chunks(LIMIT))
    assert chunked.startswith(b"HTTP/1.1 202 ")

    # One that only announces too much is refused before it sends anything.
    announced = converse(backend, f"Content-Length: {2**62}")
    assert announced.startswith(b"HTTP/1.1 413 ") and b'"too-large"' in announced
    chunked = converse(backend, "Transfer-Encoding: chunked", chunks(LIMIT + 5000))
    assert chunked.startswith(b"HTTP/1.1 413 ") and b'"too-large"' in chunked


def test_lengths_that_lie(start_backend: Start, caplog: pytest.LogCaptureFixture) -> None:
    backend = start_backend()
    backend.finished(backend.submit(b"first"))
    converse(backend, "Content-Length: 100", b"short", close=True)
    converse(backend, "Transfer-Encoding: chunked", b"5\r\nshort\r\n", close=True)
    for head in ("Content-Length: -5", "Content-Length: 5\r\nContent-Length: 6"):
        assert converse(backend, head, b"12345").startswith(b"HTTP/1.1 400 ")
    backend.finished(backend.submit(b"last"))
    assert len(backend.reconstructor.calls) == 2
    assert "Traceback" not in caplog.text
