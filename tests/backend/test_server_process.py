"""The backend as a real process: how it starts, what it prints, and every way it ends."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend import contract
from backend.version import VERSION

TOKEN = "a-token-of-the-parent-process"
SERVE = [sys.executable, "-m", "backend.cli", "serve"]

Start = Callable[..., "Backend"]


class Backend:
    """A started process and what its first line said."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [*SERVE, *arguments],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.end()
        self.ready: dict[str, Any] = json.loads(line)

    def get(self, path: str, token: str = TOKEN) -> tuple[int, bytes]:
        """Status and body."""
        return self.request("GET", path, token=token)

    def request(
        self, method: str, path: str, body: bytes | None = None, token: str = TOKEN
    ) -> tuple[int, bytes]:
        """Status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ready["port"], timeout=60)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def end(self, seconds: float = 10) -> tuple[int, str, str]:
        """Exit code, the rest of stdout, and stderr of a process that is ending."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out.decode(), err.decode()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a backend whose data folder is empty and the test's own."""
    backends: list[Backend] = []

    def start(
        *arguments: str, token: str | None = TOKEN, environment: dict[str, str] | None = None
    ) -> Backend:
        variables = {"SYNERGYFACE_DATA": str(tmp_path)} if environment is None else environment
        if token is not None:
            variables = variables | {contract.TOKEN_VARIABLE: token}
        backends.append(Backend(list(arguments), variables))
        return backends[-1]

    yield start
    for backend in backends:
        with backend.process:
            backend.process.kill()


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
    assert backend.get("/v1/health", token="another")[0] == 401
    deadline = time.monotonic() + 60
    while (health := json.loads(backend.get("/v1/health")[1]))["state"] != "failed":
        assert health["state"] in ("starting", "loading") and time.monotonic() < deadline
        time.sleep(0.1)
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
    assert TOKEN not in err
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
    assert backend.get("/v1/health", token=content["token"])[0] == 200
    backend.process.send_signal(signal.SIGINT)
    code, out, err = backend.end()
    assert (code, out) == (0, "")
    assert str(path) in err and content["token"] not in err
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_its_parent(start: Start) -> None:
    backend = start("--exit-with-parent")
    assert backend.process.stdin
    backend.process.stdin.write(b"anything\n")
    backend.process.stdin.flush()
    assert backend.get("/v1/health")[0] == 200
    backend.process.stdin.close()
    assert backend.process.wait(10) == 0


def test_without_being_asked_it_outlives_the_end_of_input(start: Start) -> None:
    backend = start()
    assert backend.process.stdin
    backend.process.stdin.close()
    time.sleep(0.3)
    assert backend.get("/v1/health")[0] == 200


def test_a_short_token_is_refused(tmp_path: Path) -> None:
    environment = {contract.TOKEN_VARIABLE: "short", "SYNERGYFACE_DATA": str(tmp_path)}
    ended = subprocess.run(
        SERVE, env=os.environ | environment, capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 2
    assert contract.TOKEN_VARIABLE in ended.stderr and "Traceback" not in ended.stderr


def test_the_real_photo_end_to_end(start: Start) -> None:
    """The process's result is the one of the pipeline in this process."""
    import numpy as np
    import skimage.data
    from backend.pipeline import FaceReconstructor, faces_result, static_model
    from PIL import Image

    from backend.errors import MissingAssetError
    from backend.vision.images import read_image

    try:
        reconstructor = FaceReconstructor.load("cpu")
    except MissingAssetError as error:
        pytest.skip(f"{error}")
    path = Path(skimage.data.__file__).parent / "astronaut.png"
    image = read_image(path)
    backend = start("--device", "cpu", environment={})
    status, body = backend.request("POST", "/v1/faces?which=largest", path.read_bytes())
    assert status == 202
    job, known = json.loads(body)["job"], 0
    while (state := json.loads(backend.get(f"/v1/jobs/{job}?wait=20&since={known}")[1]))[
        "state"
    ] in ("queued", "running"):
        known = state["revision"]
    assert state["state"] == "done", state
    served = contract.decode_faces(backend.get(f"/v1/jobs/{job}/result")[1])
    model = contract.decode_model(backend.get("/v1/model")[1])

    here = faces_result(
        reconstructor.faces_from_image(image, which="largest", texture_size=1024),
        (image.shape[1], image.shape[0]),
    )
    assert served.image_size == here.image_size == (512, 512)
    assert len(served.faces) == len(here.faces) == 1
    (face,), (expected,) = served.faces, here.faces
    np.testing.assert_allclose(face.neutral, expected.neutral, atol=1e-5)
    np.testing.assert_allclose(face.landmarks, expected.landmarks, atol=1e-2)
    np.testing.assert_allclose(face.parameters[12:], expected.parameters[12:], rtol=1e-3)
    np.testing.assert_allclose(face.pose.quaternion, expected.pose.quaternion, atol=1e-4)
    np.testing.assert_array_equal(model.triangles, static_model(reconstructor.model).triangles)
    assert face.neutral.shape == model.mean.shape == (53_215, 3)

    # Her eyes, measured by hand in the photo: the middle between the corners of each.
    eyes = face.landmarks[36:48, :2].reshape(2, 6, 2).mean(axis=1)
    np.testing.assert_allclose(eyes, [[203, 101], [248, 103]], atol=4)
    texture = Image.open(io.BytesIO(face.texture_png.tobytes()))
    assert (texture.format, texture.size) == ("PNG", (1024, 1024))
