"""How soon the backend is ready, and how much memory it holds while it waits."""

from __future__ import annotations

from pathlib import Path

import psutil

from backend.exchange import contract
from tests.backend_client import PROCESS_TOKEN, BackendProcess
from tests.peak_memory import run_alone
from tests.slowness import slowness

READY_SECONDS = 3.0
IDLE_BYTES = 450 * 2**20
MATPLOTLIB = """
import sys
from pathlib import Path
from backend.vision.landmarker import Landmarker
Landmarker(Path(sys.argv[1]))
print("matplotlib" in sys.modules)
import matplotlib.pyplot
print(hasattr(matplotlib.pyplot, "figure"))
"""


def test_ready_soon_and_small(model: object, detector_file: Path) -> None:
    started()  # Exports the network, which every later one finds.
    seconds, memory = min(started(), started())
    # Processor time, which other work on the computer does not lengthen. Little of the start runs
    # in parallel, so an idle computer needs about as long.
    assert seconds / slowness() < READY_SECONDS
    assert memory < IDLE_BYTES


def test_matplotlib_is_left_alone(detector_file: Path) -> None:
    """MediaPipe gets along without it, and whoever wants it afterwards gets the real one."""
    (imported, real), _ = run_alone(MATPLOTLIB, detector_file)
    assert (imported, real) == ("False", "True")


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
