"""How soon the backend is ready, and how much memory it holds while it waits."""

from __future__ import annotations

from pathlib import Path

import psutil

from backend import contract
from tests.backend_client import PROCESS_TOKEN, BackendProcess

READY_SECONDS = 3.0
IDLE_BYTES = 700 * 2**20


def test_ready_soon_and_small(model: object, detector_file: Path) -> None:
    # The first start exports the network; every later one finds it.
    for _ in range(2):
        backend = BackendProcess(["--device", "cpu"], {contract.TOKEN_VARIABLE: PROCESS_TOKEN})
        try:
            assert backend.loaded()["state"] == "ready"
            process = psutil.Process(backend.process.pid)
            times, memory = process.cpu_times(), process.memory_info().rss
        finally:
            backend.kill()
    # Processor time, which other work on the computer does not lengthen. Little of the start runs
    # in parallel, so an idle computer needs about as long.
    assert times.user + times.system < READY_SECONDS
    assert memory < IDLE_BYTES
