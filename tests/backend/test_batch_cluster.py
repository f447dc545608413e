"""A batch on a Ray cluster of two nodes on this computer, bound to the loopback interface."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.batch.cluster import run_on_cluster
from backend.batch.items import Outcome
from backend.errors import BadInputError
from tests.backend.batch_work import act_slowly, pids, write_items

posix_only = pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")
pytestmark = pytest.mark.skipif(not find_spec("ray"), reason="needs the extra ray")

ROOT = Path(__file__).parents[2]
NODE = {
    "num_cpus": 1,
    "node_ip_address": "127.0.0.1",
    "include_dashboard": False,
    "object_store_memory": 80 * 2**20,
}


@pytest.fixture(scope="module", autouse=True)
def ray_environment() -> Iterator[None]:
    """What Ray must find before it is imported: the last of them binds it to the loopback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_agent_register_timeout_ms", "120000")
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        yield


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head node of one core."""
    from ray.cluster_utils import Cluster

    cluster = patiently(lambda: Cluster(initialize_head=True, head_node_args=NODE))
    yield cluster
    cluster.shutdown()


def patiently(start: Callable[[], Any]) -> Any:
    """Ray gives its parts half a minute to start, too little where others use the computer."""
    for _ in range(2):
        with suppress(Exception):
            return start()
    return start()


def test_a_killed_node_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    second = patiently(lambda: cluster.add_node(**NODE))
    raylet = second.all_processes["raylet"][0].process.pid
    items = write_items(tmp_path, **{f"item{i}": "good" for i in range(8)})

    def workers() -> set[int]:
        return {pid for item in items for pid in pids(item)}

    outcomes: list[Outcome] = []
    killed: list[int] = []
    with closing(run_on_cluster(items, act_slowly, cluster.address)) as coming:
        for outcome in coming:
            outcomes.append(outcome)
            on_second = [pid for pid in workers() if descends_from(pid, raylet)]
            if not killed and on_second:
                # As if its computer had lost power, in the middle of an item.
                cluster.remove_node(second, allow_graceful=False)
                killed = on_second
    assert killed
    assert sorted(o.item.source.stem for o in outcomes) == [i.source.stem for i in items]
    assert {outcome.state for outcome in outcomes} == {"done"}


def descends_from(pid: int, ancestor: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return ancestor in [parent.pid for parent in psutil.Process(pid).parents()]
    return False


def test_no_cluster_is_said(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(BadInputError, match=r"No Ray cluster answers at 127\.0\.0\.1:1"):
        list(run_on_cluster(write_items(tmp_path, a="good"), act_slowly, "127.0.0.1:1"))
    assert time.monotonic() - began < 60


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Ray notes down the cluster that was started last: a folder that it opens to all."""
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    folder = tmp_path / "ray"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "ray_current_cluster").write_text("127.0.0.1:1\n")
    return folder / "ray_current_cluster"


def told_of_auto(folder: Path) -> str:
    """Why there is no cluster."""
    with pytest.raises(BadInputError) as caught:
        list(run_on_cluster(write_items(folder, a="good"), act_slowly, "auto"))
    return str(caught.value)


def test_auto_is_the_cluster_that_we_have_started(
    note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No Ray cluster answers at 127.0.0.1:1:" in told_of_auto(tmp_path)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:2")
    assert "No Ray cluster answers at 127.0.0.1:2:" in told_of_auto(tmp_path)


@posix_only
def test_auto_does_not_follow_what_others_may_have_written(note: Path, tmp_path: Path) -> None:
    note.chmod(0o666)
    assert "others than you may have written" in told_of_auto(tmp_path)
    if os.geteuid() == 0:
        note.chmod(0o644)
        os.chown(note, 12345, -1)
        assert "others than you may have written" in told_of_auto(tmp_path)
    note.unlink()
    assert "names none that was started here" in told_of_auto(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("127.0.0.1:1")
    note.symlink_to(elsewhere)
    assert "names none that was started here" in told_of_auto(tmp_path)
    note.unlink()
    os.mkfifo(note)
    assert "others than you may have written" in told_of_auto(tmp_path)
