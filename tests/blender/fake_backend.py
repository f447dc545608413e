"""A backend for faults that a healthy one does not have: ``python fake_backend.py FAULT``.

It speaks the wire contract with the standard library and numpy, and reconstructs every photo as
the same small dome, which turns in every clip. Faults: ``none``; ``old-protocol``,
``new-protocol``; ``dies``, ``dies-once`` and ``hangs`` (in the middle of a job); ``dies-later`` (at
the second job, and at each one after that); ``silent`` (never ready); ``no-models`` (asset
missing); ``no-package`` (an import fails at start).
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import secrets
import struct
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import fake_head
import numpy as np

COLUMNS, ROWS = 24, 17
# In the middle of the fifth row from below.
MOUTH_CELL = 4 * (COLUMNS - 1) + COLUMNS // 2
IMAGE_SIZE = (640, 480)


def exchange(part: str) -> ModuleType:
    """A module of what both sides share, loaded without either."""
    if "wire" not in sys.modules:
        folder = Path(__file__).resolve().parents[2] / "backend" / "exchange"
        spec = importlib.util.spec_from_file_location("wire", folder / "__init__.py")
        assert spec and spec.loader
        sys.modules["wire"] = package = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    return importlib.import_module(f"wire.{part}")


contract = exchange("contract")
handshake = exchange("handshake")


def dome() -> Any:
    """Static model: half an ellipsoid that bulges towards -Y, 0.18 m wide, one cell its mouth."""
    u, v = np.meshgrid(np.linspace(0, 1, COLUMNS), np.linspace(0, 1, ROWS))
    across, up = np.pi * (u - 0.5) * 0.9, np.pi * (v - 0.5) * 0.9
    mean = np.stack(
        [
            0.09 * np.sin(across) * np.cos(up),
            -0.13 * np.cos(across) * np.cos(up),
            0.11 * np.sin(up),
        ],
        axis=-1,
    ).reshape(-1, 3)
    corner = (np.arange(ROWS - 1)[:, None] * COLUMNS + np.arange(COLUMNS - 1)).reshape(-1)
    lower = np.stack([corner, corner + 1, corner + COLUMNS + 1], axis=1)
    upper = np.stack([corner, corner + COLUMNS + 1, corner + COLUMNS], axis=1)
    mouth = np.arange(len(corner)) == MOUTH_CELL
    basis = 0.002 * np.random.default_rng(0).standard_normal((10, len(mean), 3))
    return contract.StaticModel(
        mean=mean.astype(np.float32),
        triangles=np.concatenate([lower[~mouth], upper[~mouth]]).astype(np.int32),
        mouth=np.concatenate([lower[mouth], upper[mouth]]).astype(np.int32),
        uv=np.stack([u, v], axis=-1).reshape(-1, 2).astype(np.float32),
        expression_basis=basis.astype(np.float32),
        landmark_indices=np.linspace(0, len(mean) - 1, 68).astype(np.int32),
        regions={
            "face": weights(v > 0.2),
            "ears": weights(np.abs(u - 0.5) > 0.4),
            "neck": weights(np.clip(1 - 2.5 * v, 0, 1)),
            "eye_patches": weights(fake_head.eye_patches(mean)),
        },
        parts=fake_head.static_parts(contract),
    )


def weights(share: np.ndarray) -> np.ndarray:
    """(V,) of a region, from numbers in [0, 1] on the grid."""
    return np.round(255 * share).astype(np.uint8).reshape(-1)


def png(size: int, rgb: tuple[int, int, int]) -> np.ndarray:
    """Bytes of a PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    pixels = (b"\0" + bytes(rgb) * size) * size
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return np.frombuffer(b"\x89PNG\r\n\x1a\n" + body, np.uint8)


def face(
    left: float,
    *,
    width: float = 1.0,
    expression: float = 0.0,
    parts: bool = False,
    amounts: dict[str, float] | None = None,
) -> Any:
    """A face whose box begins at `left` pixels; with named keys and parts, if asked for."""
    parameters = np.arange(62, dtype=np.float32)
    whole = None
    if parts or amounts is not None:
        whole = whole_head(width, parts=parts)
    return contract.FaceResult(
        neutral=dome().mean * np.array([width, 1, 1], np.float32),
        expression=np.full(10, expression, np.float32),
        parameters=parameters,
        landmarks=np.zeros((68, 3), np.float32),
        landmarks_coarse=np.zeros((68, 3), np.float32),
        texture_png=png(64, (200, 150, 120)),
        roi_box=(left, 100.0, left + 200, 300.0),
        pose=contract.FacePose(
            yaw=20.0,
            pitch=0.0,
            roll=0.0,
            scale=1.6,
            translation=(left + 100, 200.0, 0.0),
            quaternion=(0.9848077530, 0.0, 0.0, 0.1736481777),
        ),
        whole=whole,
        amounts=amounts_of(whole, amounts or {}),
    )


def whole_head(width: float = 1.0, *, parts: bool = True) -> Any:
    """Named keys, and parts, of a dome of that width."""
    neutral = dome().mean * np.array([width, 1, 1])
    return fake_head.whole_head(contract, neutral, png(16, (90, 60, 40)), parts=parts, wide=width)


def amounts_of(whole: Any, amounts: dict[str, float]) -> np.ndarray:
    """(K,) in the order of the head's keys."""
    names = () if whole is None else whole.keys.names
    assert set(amounts) <= set(names)
    return np.array([amounts.get(name, 0.0) for name in names], np.float32)


def film_track(
    times: np.ndarray,
    number: int = 0,
    *,
    gaps: slice = slice(0),
    peak: float = 2.0,
    whole: Any = None,
) -> Any:
    """A face that turns from side to side once a second and wanders to the right.

    Its yaw is 30 degrees times sin(2 pi t), its first expression `peak` times the same. With a
    whole head, its jaw opens by sin(2 pi t) squared.
    """
    n, wave = len(times), np.sin(2 * np.pi * times)
    half = np.radians(30) * wave / 2
    zeros = np.zeros(n)
    rows = {
        "parameters": np.zeros((n, 62)),
        "roi_boxes": np.tile([100.0, 100.0, 300.0, 300.0], (n, 1)),
        "quaternions": np.stack([np.cos(half), zeros, zeros, np.sin(half)], 1),
        "scale": np.full(n, 1.6),
        "translation": np.stack([200 + 16 * times + 100 * number, zeros + 200, zeros], 1),
        "expression": np.outer(wave, [peak, *np.zeros(9)]),
    }
    if whole is not None:
        rows["amounts"] = np.outer(wave**2, amounts_of(whole, {"jawOpen": 1.0}))
    rows = {name: array.astype(np.float32) for name, array in rows.items()}
    for array in rows.values():
        array[gaps] = np.nan
    confidence = np.full(n, 0.9, np.float32)
    confidence[gaps] = 0
    neutral = dome().mean
    texture = png(64, (120, 150, 200))
    return contract.VideoTrack(
        number, neutral, confidence=confidence, texture_png=texture, whole=whole, **rows
    )


def film(times: np.ndarray, rate: float, *tracks: Any) -> Any:
    """A tracked clip; with one track if none is given."""
    found = tracks or (film_track(times),)
    return contract.VideoResult(found, times, np.arange(len(times)), IMAGE_SIZE, rate)


class Handler(BaseHTTPRequestHandler):
    """Answers as the backend would, but for the fault."""

    protocol_version = "HTTP/1.1"
    fault = "none"
    polls = 0
    # What the last job was asked for.
    named = parts = False
    # Of the session that has been opened on this connection.
    expected = "nothing yet"

    def do_GET(self) -> None:
        """A session, health, model, job or result."""
        if self.path.startswith(handshake.SESSION_PATH):
            self.session(self.path.rpartition("=")[2])
        elif self.path == "/v1/health":
            self.answer(health(self.fault))
        elif self.path == "/v1/model":
            self.answer(contract.encode_model(dome()))
        elif self.path.endswith("/v/result"):
            times = np.arange(50) / 25
            whole = whole_head(parts=Handler.parts) if Handler.named else None
            self.answer(contract.encode_video(film(times, 25.0, film_track(times, whole=whole))))
        elif self.path.endswith("/result"):
            if self.fault == "dies-later":
                Path("worked").touch()
            amounts = {"jawOpen": 0.25} if Handler.named else None
            found = face(100, parts=Handler.parts, amounts=amounts)
            self.answer(contract.encode_faces(contract.FacesResult((found,), IMAGE_SIZE)))
        else:
            self.job()

    def do_POST(self) -> None:
        """Take a photo or a clip."""
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.fault == "dies-later" and Path("worked").exists():
            os._exit(3)
        query = parse_qs(urlsplit(self.path).query)
        Handler.named = query.get("keys") == ["named"]
        Handler.parts = Handler.named and query.get("parts") == ["head"]
        self.answer({"job": "v" if self.path.startswith("/v1/videos") else "j"}, 202)

    def do_DELETE(self) -> None:
        """Cancel."""
        print("cancelled by the client", flush=True)
        self.answer(job_status("cancelled", 0))

    def job(self) -> None:
        """Progress of the one job."""
        Handler.polls += 1
        if self.fault in ("dies", "dies-once") and Handler.polls > 1:
            Path("died").touch()
            os._exit(3)
        if self.fault == "hangs":
            threading.Event().wait(0.2)
        running = self.fault in ("dies", "dies-once", "hangs")
        self.answer(job_status("running" if running else "done", Handler.polls))

    def session(self, nonce: str) -> None:
        """Prove that the token is known, and expect as much of the client on this connection."""
        token, port = os.environ[contract.TOKEN_VARIABLE], self.connection.getsockname()[1]
        ours = secrets.token_hex(32)
        proofs = [
            handshake.proof(token, prover, port, nonce, ours) for prover in ("backend", "client")
        ]
        self.expected = f"Bearer {nonce}.{ours}.{proofs[1]}"
        self.answer({"nonce": ours, "port": port, "proof": proofs[0]}, free=True)

    def answer(
        self, content: bytes | dict[str, Any], status: int = 200, free: bool = False
    ) -> None:
        """Send bytes, or JSON; to all if it is free."""
        authorized = free or self.headers["Authorization"] == self.expected
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status if authorized else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet."""


def protocol(fault: str) -> int:
    """The number of the protocol that it says to speak."""
    return contract.PROTOCOL + {"old-protocol": -1, "new-protocol": 1}.get(fault, 0)


def health(fault: str) -> dict[str, Any]:
    """Body of ``GET /v1/health``."""
    fields: dict[str, Any] = {
        "state": "ready",
        "protocol": protocol(fault),
        "version": "9.9.9",
        "device": "fake",
        "versions": {"numpy": np.__version__},
    }
    if fault == "no-models":
        fields["state"] = "failed"
        fields["problem"] = {
            "detail": "The Basel Face Model is missing.",
            "remedy": "Run `synergyface assets fetch`.",
            "code": "missing-asset",
        }
    return fields


def job_status(state: str, revision: int) -> dict[str, Any]:
    """Body of ``GET /v1/jobs/j``."""
    return {
        "id": "j",
        "state": state,
        "progress": 0.4,
        "stage": "Fitting",
        "revision": revision,
        "problem": None,
    }


def main() -> None:
    """Serve until stdin ends."""
    Handler.fault = sys.argv[1]
    if Handler.fault == "dies-once" and Path("died").exists():
        Handler.fault = "none"
    if Handler.fault == "no-package":
        raise ModuleNotFoundError("No module named 'onnxruntime'")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if Handler.fault != "silent":
        ready = {
            "ready": True,
            "port": server.server_port,
            "protocol": protocol(Handler.fault),
            "version": "9.9.9",
            "pid": os.getpid(),
        }
        print(json.dumps(ready), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
