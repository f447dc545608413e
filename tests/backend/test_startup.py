"""How soon the backend is ready, and how much memory it holds while it waits."""

from __future__ import annotations

from pathlib import Path

import psutil

from backend import contract
from tests.backend_client import PROCESS_TOKEN, BackendProcess
from tests.slowness import slowness

READY_SECONDS = 3.0
IDLE_BYTES = 450 * 2**20


def test_ready_soon_and_small(model: object, detector_file: Path) -> None:
    started()  # Exports the network, which every later one finds.
    seconds, memory = min(started(), started())
    # Processor time, which other work on the computer does not lengthen. Little of the start runs
    # in parallel, so an idle computer needs about as long.
    assert seconds / slowness() < READY_SECONDS
    assert memory < IDLE_BYTES


def started() -> tuple[float, int]:
    """Processor seconds until a backend is ready, and the bytes that it then holds."""
    backend = BackendProcess(["--device", "cpu"], {contract.TOKEN_VARIABLE: PROCESS_TOKEN})
    try:
        assert backend.loaded()["state"] == "ready"
        process = psutil.Process(backend.process.pid)
        times = process.cpu_times()
        return times.user + times.system, process.memory_info().rss
    finally:
        backend.kill()
