"""The backend as a child of the add-on: how long it lives, and what is said when it does not."""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from addon.connection.advice import advice_for
from addon.connection.client import BackendClient, BackendError
from addon.connection.connection import Connection, Location
from addon.connection.process import BackendProcess
from addon.connection.windows_job import ExtendedLimits
from addon.tasks import Reporter, Task

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / "tests/blender/fake_backend.py"
COMMAND = (sys.executable, "-m", "backend.cli", "serve", "--exit-with-parent")
GONE_SECONDS = 60

# A parent like Blender, with the add-on's modules but without its `__init__`, which needs bpy.
PARENT = """
import os, subprocess, sys, time, types
from pathlib import Path
root = Path(sys.argv[1])
sys.path.insert(0, str(root))
package = types.ModuleType("addon")
package.__path__ = [str(root / "addon")]
sys.modules["addon"] = package
from addon.connection.process import BackendProcess
backend = BackendProcess(tuple(sys.argv[3:]), root)
backend.wait_until_ready(120)
if sys.argv[2] == "pipe-held":
    pipe = backend._process.stdin.fileno()
    holder = subprocess.Popen(["sleep", "300"], pass_fds=[pipe], stdout=subprocess.DEVNULL)
    print(holder.pid, end=" ")
print(backend.pid, flush=True)
time.sleep(300)
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not asked how counts as ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + GONE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", ["alone", "pipe-held"])
def test_no_orphan_after_the_parent_is_killed(how: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(ROOT), how, *COMMAND], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        *holders, backend = map(int, parent.stdout.readline().split())
        assert alive(backend)
        parent.kill()
    try:
        assert wait_until(lambda: not alive(backend))
        assert all(alive(holder) for holder in holders)
    finally:
        for holder in holders:
            os.kill(holder, signal.SIGKILL)


def test_it_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    started: list[BackendProcess] = []
    thread = threading.Thread(target=lambda: started.append(BackendProcess(COMMAND, tmp_path)))
    thread.start()
    thread.join()
    [backend] = started
    try:
        assert backend.state == "starting"
        ready = backend.wait_until_ready(120)
        assert ready.pid == backend.pid
        assert backend.state == "running"
    finally:
        backend.stop()
    assert backend.state == "stopped"
    assert backend.failure().code == "backend-stopped"


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="Cannot start the backend") as caught:
        BackendProcess(("/nowhere/python",), tmp_path)
    assert caught.value.code == "no-backend"


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], Location]:
    """Where a fake backend with a fault is to be found."""

    def choose(fault: str) -> Location:
        program = tmp_path / f"python-{fault}"
        program.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, str(FAKE), fault])}\n")
        program.chmod(0o755)
        return Location("python", str(program))

    return choose


def photo_result(client: BackendClient, report: Reporter) -> Any:
    """Result of a job on the fake backend."""
    job = client.submit_face(b"photo")
    while not (status := client.job(job)).finished:
        report(status.progress, status.stage)
    return client.result(job)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for Python")
def test_after_a_crash_it_is_started_once_and_the_person_told(
    tmp_path: Path, fake: Callable[[str], Location]
) -> None:
    connection = Connection(tmp_path)
    stages: list[str] = []

    def work(location: Location) -> Any:
        def run(report: Reporter) -> Any:
            return connection.use(location, report, lambda client: photo_result(client, report))

        task = Task(run)
        try:
            return task.run_to_end()
        finally:
            stages.append(task.progress.stage)

    try:
        assert len(work(fake("dies-once")).faces) == 1
        [notice] = connection.take_notices()
        assert notice.startswith("The backend was started again.")
        assert "exit code 3" in notice
        assert connection.take_notices() == []
        assert (connection.server, connection.status.state) == ("running", "ready")
        # One that always dies is not started for ever.
        with pytest.raises(BackendError, match="exit code 3"):
            work(fake("dies"))
        assert connection.server == "crashed"
        assert len(connection.take_notices()) == 1
    finally:
        connection.stop()
    assert (connection.server, connection.status.state) == ("stopped", "stopped")


@pytest.mark.parametrize(
    ("output", "exit_code", "message", "code"),
    [
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
            1,
            "graphics card has run out of memory",
            "gpu-memory",
        ),
        (
            "OSError: libEGL.so.1: cannot open shared object file: No such file or directory",
            1,
            "system library libEGL.so.1",
            "missing-library",
        ),
        (
            "ImportError: DLL load failed while importing onnxruntime_pybind11_state: The",
            1,
            "Windows library that onnxruntime_pybind11_state needs",
            "missing-library",
        ),
        ("synergyface: Cannot listen on port 80: Permission denied.", 2, "open a port", "bad-port"),
        (
            "PermissionError: [Errno 13] Permission denied: '/data/bfm.npz'",
            1,
            "Cannot read or write /data/bfm.npz",
            "backend-died",
        ),
        (
            "ERROR The weights /x/synergynet.safetensors are damaged: HeaderTooLarge.",
            1,
            "A model file of the backend is damaged",
            "missing-asset",
        ),
        ("OSError: [Errno 28] No space left on device", 1, "disk is full", "backend-died"),
        (
            "No Python at 'C:\\python.exe'",
            103,
            "moved or removed",
            "damaged-installation",
        ),
        ("", -9, "memory ran out", "backend-died"),
        ("", -11, "crashed in one of its libraries", "backend-died"),
        ("", 0xC0000005, "crashed in one of its libraries", "backend-died"),
        ("nothing known", 3, r"stopped unexpectedly \(exit code 3\)", "backend-died"),
    ],
)
def test_known_failures_become_advice(output: str, exit_code: int, message: str, code: str) -> None:
    with pytest.raises(BackendError, match=message) as caught:
        raise advice_for(output, exit_code, "python")
    assert caught.value.code == code
    assert caught.value.remedy


def test_structure_for_windows_has_the_size_that_windows_documents() -> None:
    if ctypes.sizeof(ctypes.c_void_p) == 8:
        assert ctypes.sizeof(ExtendedLimits) == 144
