"""Batches: what is found in a folder, what is done of it, and what comes of processes that die."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest
from PIL import Image

from backend.batch.items import (
    BatchFile,
    BatchOptions,
    Outcome,
    earlier_outcome,
    find_items,
    record_done,
)
from backend.batch.processes import run_in_processes
from backend.batch.run import run_batch
from backend.batch.table import COLUMNS, text_table
from backend.cli import main
from backend.errors import BadInputError
from backend.morphable_model.model import MorphableModel
from tests.backend.batch_work import act, pids, write_items

OPTIONS = BatchOptions()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")


def test_items_of_a_folder(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    touch(folder, "b.JPG", "a.png", "talk.mp4", "notes.txt", "me.png", "ME.jpg", ".hidden")
    touch(folder / "inner", "c.png")
    items = {item.source.name: item for item in find_items(folder, out)}
    assert {name: item.kind for name, item in items.items()} == {
        "ME.jpg": "photo", "a.png": "photo", "b.JPG": "photo", "me.png": "photo",
        "talk.mp4": "clip",
    }  # fmt: skip
    folders = {name: item.directory.name for name, item in items.items()}
    assert folders == {
        "ME.jpg": "ME.jpg", "a.png": "a", "b.JPG": "b", "me.png": "me.png", "talk.mp4": "talk",
    }  # fmt: skip
    assert all(item.directory.parent == out for item in items.values())


def test_folders_without_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no folder"):
        find_items(tmp_path / "none", tmp_path)
    touch(tmp_path / "in", "notes.txt")
    with pytest.raises(BadInputError, match="no photos or clips"):
        find_items(tmp_path / "in", tmp_path)


@pytest.fixture
def item(tmp_path: Path) -> BatchFile:
    touch(tmp_path, "a.png")
    return BatchFile(tmp_path / "a.png", "photo", tmp_path / "out" / "a")


def test_what_was_done_is_kept_until_something_changes(item: BatchFile) -> None:
    assert earlier_outcome(item, OPTIONS) is None
    record_done(Outcome(item, "done", faces=2, seconds=1.5), OPTIONS)
    assert earlier_outcome(item, OPTIONS) == Outcome(item, "kept", faces=2, seconds=1.5)
    assert earlier_outcome(item, replace(OPTIONS, texture_size=512)) is None
    item.source.write_bytes(b"another picture")
    assert earlier_outcome(item, OPTIONS) is None
    item.source.unlink()
    assert earlier_outcome(item, OPTIONS) is None


@pytest.mark.parametrize("record", ["", "{", "[]", '{"key": 3}', '{"faces": 1}'])
def test_a_damaged_record_means_not_done(item: BatchFile, record: str) -> None:
    record_done(Outcome(item, "done", faces=1), OPTIONS)
    (item.directory / "batch.json").write_text(record)
    assert earlier_outcome(item, OPTIONS) is None


def test_processes_share_the_work_and_are_used_again(tmp_path: Path) -> None:
    items = write_items(tmp_path, **{f"item{i}": "good" for i in range(6)})
    outcomes = list(run_in_processes(items, act, jobs=2))
    assert sorted(o.item.source.name for o in outcomes) == [i.source.name for i in items]
    workers = {pid for item in items for pid in pids(item)}
    assert 1 <= len(workers) <= 2 and os.getpid() not in workers
    assert not any(psutil.pid_exists(pid) for pid in workers)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_process_that_dies_costs_nobody_else(tmp_path: Path) -> None:
    items = write_items(tmp_path, a="die", b="good", c="die-once", d="good")
    outcomes = {o.item.source.stem: o for o in run_in_processes(items, act, jobs=2)}
    states = {name: outcome.state for name, outcome in sorted(outcomes.items())}
    assert states == {"a": "failed", "b": "done", "c": "done", "d": "done"}
    assert len(pids(items[0])) == len(pids(items[2])) == 2
    assert "died 2 times" in outcomes["a"].problem and "-9" in outcomes["a"].problem
    assert not outcomes["a"].bad_input


def test_stopping_ends_the_processes_at_once(tmp_path: Path) -> None:
    items = write_items(tmp_path, a="good", b="sleep", c="sleep")
    coming = run_in_processes(items, act, jobs=2)
    assert next(coming).item == items[0]
    wait_for(lambda: pids(items[1]) and pids(items[2]))
    began = time.monotonic()
    coming.close()
    assert time.monotonic() - began < 10
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    items = write_items(tmp_path, a="good", b="sleep")
    script = (
        "import pathlib, sys\n"
        "from backend.batch.processes import run_in_processes\n"
        "from tests.backend.batch_work import act, write_items\n"
        "if __name__ == '__main__':\n"
        "    items = write_items(pathlib.Path(sys.argv[1]), a='good', b='sleep')\n"
        "    list(run_in_processes(items, act, jobs=1))\n"
    )
    main_file = tmp_path / "main.py"
    main_file.write_text(script)
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, str(main_file), str(tmp_path)], env=os.environ | {"PYTHONPATH": str(root)}
    )
    wait_for(lambda: pids(items[1]))
    (worker,) = pids(items[1])
    parent.kill()
    parent.wait(10)
    # It wakes within the minute that its item takes, or is ended before by its watch.
    wait_for(lambda: not psutil.pid_exists(worker), seconds=20)


def test_a_batch_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    items = write_items(tmp_path, a="good", b="good", c="good")
    table = tmp_path / "out" / "results.csv"
    done: list[str] = []

    def runner(waiting: list[BatchFile], stop_after: int):
        for count, item in enumerate(waiting):
            if count == stop_after:
                raise KeyboardInterrupt
            outcome = Outcome(item, "done", faces=1, seconds=0.1)
            record_done(outcome, OPTIONS)
            done.append(item.source.stem)
            yield outcome

    with pytest.raises(KeyboardInterrupt):
        run_batch(items, OPTIONS, lambda i: runner(list(i), 2), table, watch=lambda o: None)
    assert [row["state"] for row in csv.DictReader(table.open())] == ["done", "done"]
    outcomes = run_batch(items, OPTIONS, lambda i: runner(list(i), 9), table, watch=lambda o: None)
    assert done == ["a", "b", "c"]
    assert [outcome.state for outcome in outcomes] == ["kept", "kept", "done"]
    rows = list(csv.DictReader(table.open()))
    assert tuple(rows[0]) == COLUMNS and [row["state"] for row in rows] == ["kept", "kept", "done"]
    assert text_table(outcomes).endswith("1 done, 2 kept, 0 failed")


@pytest.fixture
def photos(tmp_path: Path, model: MorphableModel, detector_file: Path) -> Path:
    from skimage import data

    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(data.astronaut()).save(folder / "good.png")
    shutil.copy(folder / "good.png", folder / "again.png")
    (folder / "bad.jpg").write_bytes(b"no photo")
    return folder


def test_the_command(
    photos: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    command = ["batch", str(photos), str(out), "--texture-size", "512", "--device", "cpu"]
    assert main([*command, "--jobs", "2", "--json"]) == 2
    rows = {Path(row["file"]).name: row for row in json.loads(capfd.readouterr().out)}
    states = {name: row["state"] for name, row in rows.items()}
    assert states == {"again.png": "done", "good.png": "done", "bad.jpg": "failed"}
    assert "bad.jpg is not an image" in rows["bad.jpg"]["problem"]
    for name in ("good", "again"):
        assert (out / name / "head.glb").is_file() and (out / name / "texture.png").is_file()
    assert not (out / "bad").exists()
    first = (out / "good" / "head.glb").stat().st_mtime_ns

    (photos / "bad.jpg").unlink()
    assert main(command) == 0
    assert capfd.readouterr().out.endswith("0 done, 2 kept, 0 failed\n")
    assert (out / "good" / "head.glb").stat().st_mtime_ns == first

    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other weights than those that the heads were made with")
    monkeypatch.setattr("backend.texture.generator.SHIPPED_WEIGHTS", other)
    assert main(command) == 0
    assert capfd.readouterr().out.endswith("2 done, 0 kept, 0 failed\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["none", "out"], "no folder"), ([".", "out", "--jobs", "0"], "--jobs is 0")],
)
def test_bad_commands(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["batch", *arguments]) == 2
    assert words in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_leaves_a_table_and_no_processes(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for number in range(60):  # enough for the batch to be at work when it is interrupted
        shutil.copyfile(photos / "again.png", photos / f"more_{number}.png")
    batch = subprocess.Popen(
        [sys.executable, "-m", "backend.cli", "batch", str(photos), str(out), "--jobs", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Tests that run in the background inherit that Ctrl-C is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(lambda: (out / "again" / "batch.json").exists(), seconds=200)
    children = psutil.Process(batch.pid).children(recursive=True)
    os.killpg(batch.pid, signal.SIGINT)
    _, errors = batch.communicate(timeout=60)
    assert batch.returncode == 130
    assert b"Traceback" not in errors
    assert "again.png" in (out / "results.csv").read_text()
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C of a group of processes")
@pytest.mark.parametrize("delay", [0, 0.01, 0.03, 0.1])
def test_interrupted_while_its_processes_start(tmp_path: Path, delay: float) -> None:
    """Python is still being loaded in them when Ctrl-C comes, and would tell where."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from backend.batch.processes import run_in_processes\n"
        "from tests.backend.batch_work import act, write_items\n"
        "if __name__ == '__main__':\n"
        "    items = write_items(Path(sys.argv[1]), a='sleep', b='sleep')\n"
        "    try:\n"
        "        list(run_in_processes(items, act, 2))\n"
        "    except KeyboardInterrupt:\n"
        "        sys.exit(130)\n"
    )
    (tmp_path / "batch.py").write_text(script)
    batch = subprocess.Popen(
        [sys.executable, str(tmp_path / "batch.py"), str(tmp_path / "items")],
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    # The first child is multiprocessing's own.
    wait_for(lambda: len(psutil.Process(batch.pid).children()) > 1, seconds=60)
    time.sleep(delay)
    children = psutil.Process(batch.pid).children(recursive=True)
    os.killpg(batch.pid, signal.SIGINT)
    _, errors = batch.communicate(timeout=60)
    assert batch.returncode == 130
    assert b"Traceback" not in errors
    assert psutil.wait_procs(children, timeout=10)[1] == []
