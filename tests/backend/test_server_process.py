"""The backend as a real process: how it starts, what it prints, and every way it ends."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadInputError
from backend.exchange import contract
from backend.server.server_file import server_file
from backend.version import VERSION
from tests.backend_client import PROCESS_TOKEN, SERVE, BackendClient, BackendProcess

Start = Callable[..., BackendProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a backend whose data folder is empty and the test's own."""
    backends: list[BackendProcess] = []

    def start(*arguments: str, token: str | None = PROCESS_TOKEN) -> BackendProcess:
        variables = {"SYNERGYFACE_DATA": str(tmp_path)}
        if token is not None:
            variables[contract.TOKEN_VARIABLE] = token
        backends.append(BackendProcess(list(arguments), variables))
        return backends[-1]

    yield start
    for backend in backends:
        backend.kill()


def test_one_line_when_ready_and_a_clear_state_without_data(start: Start, tmp_path: Path) -> None:
    backend = start()
    port = backend.ready.pop("port")
    assert backend.ready == {
        "ready": True,
        "protocol": contract.PROTOCOL,
        "version": VERSION,
        "pid": backend.process.pid,
    }
    backend.ready["port"] = port
    token = {"Authorization": f"Bearer {PROCESS_TOKEN}"}
    assert backend.request("GET", "/v1/health", headers=token).status == 401
    health = backend.loaded()
    assert health["state"] == "failed"
    assert health["problem"]["code"] == "missing-asset"
    assert "synergyface assets fetch" in health["problem"]["remedy"]

    # A second backend cannot have the same port, and says so as every command does.
    second = subprocess.run(
        [*SERVE, "--port", str(port)], capture_output=True, text=True, timeout=30
    )
    assert second.returncode == 2
    assert second.stdout == ""
    assert f"port {port}" in second.stderr and "Traceback" not in second.stderr

    backend.process.send_signal(signal.SIGTERM)
    code, out, err = backend.end()
    assert (code, out) == (0, "")
    assert "Traceback" not in err
    assert PROCESS_TOKEN not in err
    assert list(tmp_path.glob("server*")) == []


@pytest.mark.skipif(os.name != "posix", reason="modes and signals of POSIX")
def test_started_by_hand_it_leaves_a_private_file_while_it_runs(
    start: Start, tmp_path: Path
) -> None:
    backend = start(token=None)
    path = tmp_path / "server.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = json.loads(path.read_text())
    assert content.keys() == {"port", "token", "pid", "protocol"}
    assert (content["port"], content["pid"]) == (backend.ready["port"], backend.process.pid)
    client = BackendClient(content["port"], content["token"])
    assert client.get("/v1/health").status == 200
    backend.process.send_signal(signal.SIGINT)
    code, out, err = backend.end()
    assert (code, out) == (0, "")
    assert str(path) in err and content["token"] not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_no_file_where_everybody_could_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system without modes, such as a USB stick's."""
    make = os.open
    monkeypatch.setattr(
        "backend.server.server_file.os.open", lambda path, flags, mode: make(path, flags, 0o644)
    )
    with (
        pytest.raises(BadInputError, match="everybody"),
        server_file(tmp_path / "server.json", 1, "token"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_its_parent(start: Start) -> None:
    backend = start("--exit-with-parent")
    assert backend.process.stdin
    backend.process.stdin.write(b"anything\n")
    backend.process.stdin.flush()
    assert backend.get("/v1/health").status == 200
    backend.process.stdin.close()
    assert backend.process.wait(30) == 0


def test_without_being_asked_it_outlives_the_end_of_input(start: Start) -> None:
    backend = start()
    assert backend.process.stdin
    backend.process.stdin.close()
    time.sleep(0.3)
    assert backend.get("/v1/health").status == 200


def test_a_short_token_is_refused(tmp_path: Path) -> None:
    environment = {contract.TOKEN_VARIABLE: "short", "SYNERGYFACE_DATA": str(tmp_path)}
    ended = subprocess.run(
        SERVE, env=os.environ | environment, capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 2
    assert contract.TOKEN_VARIABLE in ended.stderr and "Traceback" not in ended.stderr


def photo() -> bytes:
    """Eileen Collins, NASA, public domain: 512x512."""
    import skimage.data

    return (Path(skimage.data.__file__).parent / "astronaut.png").read_bytes()


def png(width: int, height: int, grey: int, rows: int) -> bytes:
    """Grey PNG of the stated size, of which only the first rows are there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + bytes([grey]) * width) * rows)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_the_real_photo_end_to_end(real_backend: BackendProcess) -> None:
    """The process's result is the one of the pipeline in this process."""
    from backend.answers.faces import faces_result, static_model
    from backend.pipeline import FaceReconstructor
    from backend.vision.images import decode_image

    state = real_backend.finished(real_backend.submit(photo()))
    assert state["state"] == "done", state
    served = contract.decode_faces(real_backend.get(f"/v1/jobs/{state['id']}/result").body)
    model = contract.decode_model(real_backend.get("/v1/model").body)

    reconstructor = FaceReconstructor.load("cpu")
    image = decode_image(photo())
    here = faces_result(
        reconstructor.faces_from_image(image, which="largest", texture_size=1024), (512, 512)
    )
    assert served.image_size == (512, 512)
    assert len(served.faces) == len(here.faces) == 1
    (face,), (expected,) = served.faces, here.faces
    np.testing.assert_allclose(face.neutral, expected.neutral, atol=1e-5)
    np.testing.assert_allclose(face.landmarks, expected.landmarks, atol=1e-2)
    np.testing.assert_allclose(face.pose.quaternion, expected.pose.quaternion, atol=1e-4)
    np.testing.assert_array_equal(model.triangles, static_model(reconstructor.model).triangles)
    assert face.neutral.shape == model.mean.shape == (53_215, 3)

    # Her eyes, measured by hand in the photo: the middle between the corners of each.
    eyes = face.landmarks[36:48, :2].reshape(2, 6, 2).mean(axis=1)
    np.testing.assert_allclose(eyes, [[203, 101], [248, 103]], atol=4)
    texture = Image.open(io.BytesIO(face.texture_png.tobytes()))
    assert (texture.format, texture.size) == ("PNG", (1024, 1024))


BAD_PHOTOS = {
    "not-an-image": b"GIF? No: a shopping list.",
    "damaged-image": photo()[:20_000],
    "too-small": png(1, 1, grey=128, rows=1),
    "too-many-pixels": png(30_000, 30_000, grey=0, rows=1),
    "no-face": png(640, 480, grey=128, rows=480),
}


@pytest.mark.parametrize("code", BAD_PHOTOS)
def test_bad_photos_are_explained(real_backend: BackendProcess, code: str) -> None:
    state = real_backend.finished(real_backend.submit(BAD_PHOTOS[code]))
    assert state["state"] == "failed"
    problem = state["problem"]
    assert (problem["status"], problem["code"]) == (422, code)
    assert problem["detail"] and problem["remedy"]
    answer = real_backend.get(f"/v1/jobs/{state['id']}/result")
    assert (answer.status, answer.json()) == (422, problem)


def test_real_work_is_cancelled(real_backend: BackendProcess) -> None:
    jobs = [real_backend.submit(photo(), "?texture_size=2048") for _ in range(3)]
    for job in reversed(jobs):
        assert real_backend.request("DELETE", f"/v1/jobs/{job}").status == 200
    for job in jobs:
        assert real_backend.finished(job)["state"] == "cancelled"
