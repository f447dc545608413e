"""What somebody tries who means harm, beyond `test_server_security`."""

from __future__ import annotations

import gzip
import hmac
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.exchange import contract
from tests.conftest import RunningBackend
from tests.peak_memory import needs_peak, run_alone

Start = Callable[..., RunningBackend]

MAX_MEMORY = 900 * 2**20

# Prints what became of a photo.
DECODE = """
import sys
from pathlib import Path
from backend.errors import BadInputError
from backend.vision.images import decode_image
try:
    print(decode_image(Path(sys.argv[1]).read_bytes()).shape)
except BadInputError as error:
    print(error.code)
"""


@pytest.mark.parametrize("wrong", [range(0), range(1), range(64), range(63, 64)])
def test_every_proof_is_compared_in_constant_time(
    shared_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch, wrong: range
) -> None:
    """By the one function that promises it, with the whole of both; the mark of a nonce as well."""
    seen: list[tuple[Any, Any]] = []
    compare = hmac.compare_digest

    def watched(a: Any, b: Any) -> bool:
        seen.append((a, b))
        return compare(a, b)

    good = shared_backend.authorization
    monkeypatch.setattr("backend.server.sessions.hmac.compare_digest", watched)
    proof = list(good[-64:])
    for place in wrong:
        proof[place] = "f" if proof[place] == "0" else "0"
    given = good[:-64] + "".join(proof)
    answer = shared_backend.request("GET", "/v1/health", headers={"Authorization": given})
    assert answer.status == (401 if wrong else 200)
    nonce = good.split(".")[1]
    assert seen == [(nonce, nonce), ("".join(proof), good[-64:])]


@pytest.mark.parametrize(
    "name", ["..", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e", "%00", "a" * 5000]
)
@pytest.mark.parametrize("path", ["/v1/jobs/{}", "/v1/jobs/{}/result", "/v1/streams/{}"])
def test_names_lead_nowhere(shared_backend: RunningBackend, path: str, name: str) -> None:
    for method in ("GET", "DELETE"):
        answer = shared_backend.request(method, path.format(name))
        assert answer.status in (404, 405)
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_compressed_body_is_not_expanded(shared_backend: RunningBackend) -> None:
    body = gzip.compress(bytes(10**7))
    headers = shared_backend.headers | {"Content-Encoding": "gzip"}
    job = shared_backend.request("POST", "/v1/faces", body, headers).json()["job"]
    shared_backend.finished(job)
    result = contract.decode_faces(shared_backend.get(f"/v1/jobs/{job}/result").body)
    # The fake reconstructor's first expression is the length of what it got.
    assert result.faces[0].expression[0] == len(body)


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00", b"\0\0\0\0\r\n\r\n", b"x" * 100_000],
    ids=["TLS", "zeros", "endless"],
)
def test_what_is_no_http_is_told_so(shared_backend: RunningBackend, sent: bytes) -> None:
    answer = b""
    with socket.create_connection(("127.0.0.1", shared_backend.port), timeout=20) as connection:
        try:
            connection.sendall(sent + b"\r\n\r\n")
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionError:
            pass
    if answer:  # a long one may be cut off before it can read the answer
        assert answer.startswith(b"HTTP/1.1 400 ") and b'"bad-request"' in answer
    assert shared_backend.get("/v1/health").status == 200


def png(width: int, height: int, *chunks: tuple[bytes, bytes], rows: bytes = b"") -> bytes:
    """PNG with what it claims, and then whatever is given."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # fmt: skip # noqa: E501

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(chunk(*each) for each in chunks)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


GIGABYTE = zlib.compress(bytes(2**30), 9)
BOMBS = {
    "claims a billion pixels": png(40_000, 25_000),
    "claims a line of two billion pixels": png(2**31 - 1, 1),
    "small, with a gigabyte of pixels": png(100, 100, (b"IDAT", GIGABYTE)),
    "small, with a gigabyte of text": png(
        100, 100, (b"zTXt", b"Comment\0\0" + GIGABYTE), rows=bytes(301 * 100)
    ),
    "small, with a gigabyte of colour profile": png(
        100, 100, (b"iCCP", b"icc\0\0" + GIGABYTE), rows=bytes(301 * 100)
    ),
}


@needs_peak
@pytest.mark.parametrize("what", BOMBS)
def test_decompression_bombs(what: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(BOMBS[what])
    assert path.stat().st_size < 2**21
    (outcome,), peak = run_alone(DECODE, path)
    assert outcome in ("(100, 100, 3)", "too-many-pixels", "damaged-image", "not-an-image")
    assert peak < MAX_MEMORY
