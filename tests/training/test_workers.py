"""Processes that share the work of a data step end with it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from backend.errors import SynergyFaceError
from tests.training.workers_work import at_work, die, prepared, square, wait
from training.data.workers import worker_pool

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

ROOT = Path(__file__).parents[2]
SCRIPT = """
from pathlib import Path
from tests.training.workers_work import wait
from training.data.workers import worker_pool
if __name__ == "__main__":
    with worker_pool(1) as pool:
        list(pool.map(wait, [Path(__file__).parent] * 9))
"""


def gone(processes: list[psutil.Process]) -> bool:
    return psutil.wait_procs(processes, timeout=30)[1] == []


def started(folder: Path) -> None:
    end = time.monotonic() + 60
    while not at_work(folder):
        assert time.monotonic() < end


def test_they_are_prepared_and_share_the_work() -> None:
    with worker_pool(1, prepared, "yes") as pool:
        assert list(pool.map(square, range(4))) == [(n * n, "yes") for n in range(4)]


@pytest.mark.parametrize("number", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_they_end_with_a_parent_that_is_stopped(number: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(SCRIPT)
    parent = subprocess.Popen(
        ["env", "--default-signal", sys.executable, str(tmp_path / "main.py")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    started(tmp_path)
    workers = psutil.Process(parent.pid).children(recursive=True)
    os.kill(parent.pid, getattr(__import__("signal"), number))
    parent.communicate(timeout=60)
    assert gone(workers) and workers


def test_a_failure_breaks_off_what_they_are_at(tmp_path: Path) -> None:
    others, began = multiprocessing.active_children(), time.monotonic()
    with pytest.raises(KeyError), worker_pool(1) as pool:
        pool.submit(wait, tmp_path)
        started(tmp_path)
        raise KeyError
    assert time.monotonic() - began < 30 and multiprocessing.active_children() == others


def test_one_that_dies_is_explained() -> None:
    with pytest.raises(SynergyFaceError, match="fewer --workers"), worker_pool(1) as pool:
        pool.submit(die).result()
