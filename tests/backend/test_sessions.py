"""Proofs of both sides, by the words of `exchange.handshake`: the backend's half over the wire."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.exchange import handshake
from backend.server.server_file import server_file
from backend.server.sessions import Sessions
from tests.backend.test_server_security import assert_problem
from tests.backend_client import session_proof
from tests.conftest import TOKEN, RunningBackend

Start = Callable[..., RunningBackend]

NONCE = "5" * 64


def opened(backend: Any, nonce: str = NONCE) -> dict[str, Any]:
    """What the backend answers to somebody who knows nothing."""
    answer = backend.request("GET", f"/v1/session?nonce={nonce}", headers={})
    assert answer.status == 200
    return answer.json()


def test_a_proof_as_written_down_in_the_standard() -> None:
    """HMAC (RFC 2104) by hand, over the words of the module's description."""
    message = f"synergyface session client 8123 {'a' * 64} {'b' * 64}".encode()
    key = b"token".ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).hexdigest()
    assert handshake.proof("token", "client", 8123, "a" * 64, "b" * 64) == outer


def test_the_backend_proves_itself_to_anybody(shared_backend: RunningBackend) -> None:
    first, second = opened(shared_backend), opened(shared_backend)
    for answer in (first, second):
        assert answer.keys() == {"nonce", "port", "proof"}
        assert answer["port"] == shared_backend.port
        assert answer["proof"] == session_proof(
            TOKEN, "backend", shared_backend.port, NONCE, answer["nonce"]
        )
        assert re.fullmatch("[0-9a-f]{64}", answer["nonce"])
    assert first["nonce"] != second["nonce"]


@pytest.mark.parametrize("query", ["", "nonce=", "nonce=x", f"nonce={'A' * 64}", f"nonce={NONCE}0"])
def test_what_is_no_nonce(shared_backend: RunningBackend, query: str) -> None:
    answer = shared_backend.request("GET", f"/v1/session?{query}", headers={})
    assert_problem(answer, 422, "bad-parameter")


@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE", "OPTIONS"])
def test_only_asking_is_free(shared_backend: RunningBackend, method: str) -> None:
    assert shared_backend.request(method, f"/v1/session?nonce={NONCE}", headers={}).status == 401


def test_pages_and_rebound_names_get_no_proof(shared_backend: RunningBackend) -> None:
    for headers, code in (
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
    ):
        answer = shared_backend.request("GET", f"/v1/session?nonce={NONCE}", headers=headers)
        assert answer.status == code


def test_a_client_s_proof_is_of_no_use_elsewhere() -> None:
    """Neither after a restart, nor at another port, nor with a nonce that was never given out."""
    sessions = Sessions(TOKEN)
    nonce = str(sessions.open(NONCE, 1000)["nonce"])

    def header(port: int, prover: str = "client", theirs: str = NONCE, ours: str = nonce) -> str:
        return f"Bearer {theirs}.{ours}.{session_proof(TOKEN, prover, port, theirs, ours)}"

    assert sessions.admits(header(1000), 1000)
    refused = {
        "after a restart": Sessions(TOKEN).admits(header(1000), 1000),
        "by a backend with another token": Sessions("x" * 43).admits(header(1000), 1000),
        "made for another port": sessions.admits(header(1001), 1000),
        "at another port": sessions.admits(header(1000), 1001),
        "what the backend itself proved by": sessions.admits(header(1000, "backend"), 1000),
        "a nonce of somebody's own": sessions.admits(header(1000, ours="7" * 64), 1000),
        "another client's": sessions.admits(header(1000, theirs="6" * 64), 1000),
    }
    assert not any(refused.values()), refused


def test_a_kept_connection_asks_for_one_proof(
    shared_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a stream's frames cost nothing more; one that is opened anew asks again."""
    proofs: list[str] = []
    make = hmac.new

    def counted(*arguments: Any) -> Any:
        if b" backend " in arguments[1]:
            proofs.append(arguments[1])
        return make(*arguments)

    monkeypatch.setattr("backend.exchange.handshake.hmac.new", counted)
    backend = handshake.ProvenConnection(shared_backend.port, TOKEN)
    for count in (1, 2):
        for _ in range(5):
            backend.request("GET", "/v1/health")
            with backend.getresponse() as response:
                assert response.status == 200 and response.read()
        assert len(proofs) == 2 * count  # both sides run in this process
        backend.close()


def test_a_kept_connection_is_answered_at_once(shared_backend: RunningBackend) -> None:
    """No part of an answer waits for the receipt of the one before, which takes 40 ms."""
    backend = handshake.ProvenConnection(shared_backend.port, TOKEN)
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        backend.request("GET", "/v1/health")
        backend.getresponse().read()
        seconds.append(time.perf_counter() - began)
    backend.close()
    assert min(seconds[1:]) < 0.03


def test_the_readme_s_example_of_a_live_client(
    shared_backend: RunningBackend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    example = readme.split("### Live")[1].split("```python\n")[1].split("```")[0]
    monkeypatch.setenv("SYNERGYFACE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("frame.jpg", np.full((48, 64, 3), 100, np.uint8))
    while shared_backend.get("/v1/health").json()["state"] != "ready":
        pass
    with server_file(tmp_path / "server.json", shared_backend.port, TOKEN):
        exec(compile(example, "README.md", "exec"), {})
    # The fake reconstructor's first expression is the number of the frame.
    assert capsys.readouterr().out.startswith("[0] [[1. 0. 0. 0.]] [[1. ")
