"""Faults that only a real process with real models can meet."""

from __future__ import annotations

import http.client
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backend.data_folder import data_folder
from backend.errors import OutOfMemoryError
from backend.exchange.contract import TOKEN_VARIABLE
from tests.backend.conftest import require_real_models
from tests.backend_client import PROCESS_TOKEN, BackendProcess

Start = Callable[..., BackendProcess]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="limits and signals of POSIX")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of the test's own, with copies of all that was fetched."""
    require_real_models()
    # What other processes write there meanwhile is none of the test's business.
    ignored = shutil.ignore_patterns(".*", "uploads", "unfinished", "server.json")
    return Path(shutil.copytree(data_folder(), tmp_path / "data", ignore=ignored))


@pytest.fixture
def start(data: Path) -> Iterator[Start]:
    """Start backends on that folder."""
    backends: list[BackendProcess] = []

    def start(before: Callable[[], None] | None = None) -> BackendProcess:
        variables = {TOKEN_VARIABLE: PROCESS_TOKEN, "SYNERGYFACE_DATA": str(data)}
        backends.append(BackendProcess(["--device", "cpu"], variables, before))
        return backends[-1]

    yield start
    for backend in backends:
        backend.kill()


@pytest.fixture(scope="module")
def photo() -> bytes:
    """Eileen Collins, NASA, public domain: 512x512."""
    import skimage.data

    return (Path(skimage.data.__file__).parent / "astronaut.png").read_bytes()


def test_data_that_vanish_while_it_runs(start: Start, data: Path, photo: bytes) -> None:
    """What the backend needs it has read; only the next one misses the files."""
    backend = start()
    assert backend.loaded()["state"] == "ready"
    shutil.rmtree(data)
    state = backend.finished(backend.submit(photo))
    assert state["state"] == "done", state
    assert backend.get(f"/v1/jobs/{state['id']}/result").status == 200

    problem = start().loaded()["problem"]
    assert problem["code"] == "missing-asset"
    assert "synergyface assets fetch" in problem["remedy"]


def test_damaged_weights(start: Start, data: Path) -> None:
    (data / "synergynet.safetensors").write_bytes(b"\0" * 1000)
    health = start().loaded()
    assert (health["state"], health["problem"]["code"]) == ("failed", "missing-asset")
    assert "synergynet.safetensors cannot be used" in health["problem"]["detail"]
    assert "Reinstall" in health["problem"]["remedy"]


@posix_only
def test_a_full_disk_prevents_no_work_that_needs_none(
    start: Start, data: Path, photo: bytes
) -> None:
    import resource

    def full_disk() -> None:
        # Writing beyond that fails in the same way as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    backend = start(full_disk)
    assert backend.loaded()["state"] == "ready", backend.log()
    assert backend.finished(backend.submit(photo))["state"] == "done"

    clip = b"\0" * 3 * 2**20
    answer = backend.request(
        "POST", "/v1/videos", clip, backend.headers | {"Content-Type": "application/octet-stream"}
    )
    assert (answer.status, answer.json()["code"]) == (507, "unwritable")
    assert "Free some space" in answer.json()["remedy"]
    assert list((data / "uploads").iterdir()) == []


def test_a_backend_that_is_killed_in_a_job_tells_by_the_connection(
    start: Start, photo: bytes
) -> None:
    """Nobody waits for ever."""
    backend = start()
    assert backend.loaded()["state"] == "ready"
    job = backend.submit(photo, "?texture_size=2048")
    told = threading.Event()

    def poll() -> None:
        known = 0
        with suppress(OSError, http.client.HTTPException):
            while True:
                known = backend.get(f"/v1/jobs/{job}?wait=30&since={known}").json()["revision"]
        told.set()

    threading.Thread(target=poll, daemon=True).start()
    time.sleep(0.3)
    backend.process.kill()
    assert told.wait(10)


def test_a_graphics_card_without_memory(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failed attempt's memory is given back, and the engine goes on."""
    import numpy as np
    import torch

    from backend.engines.torch_engine import TorchEngine
    from backend.synergynet.weights import SHIPPED_WEIGHTS, load_weights

    network = load_weights(SHIPPED_WEIGHTS)
    engine = TorchEngine(network, model, "cpu")
    crops = np.zeros((2, 120, 120, 3), np.uint8)
    expected = engine.run(crops).parameters
    given_back: list[bool] = []

    def no_memory(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(True))
    handle = network.register_forward_pre_hook(no_memory)
    with pytest.raises(OutOfMemoryError, match="memory of the graphics card"):
        engine.run(crops)
    assert given_back == [True]
    handle.remove()
    np.testing.assert_array_equal(engine.run(crops).parameters, expected)
