"""What processes of a batch do in tests, told by the first word of the item's file."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from backend.batch.items import BatchFile, Outcome


def act(item: BatchFile) -> Outcome:
    """``good``, ``die`` (always), ``die-once``, ``sleep``; writes its process's number."""
    word = item.source.read_text().split()[0]
    item.directory.mkdir(parents=True, exist_ok=True)
    trace = item.directory / "pids"
    with trace.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if word == "die" or (word == "die-once" and len(pids(item)) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "sleep":
        time.sleep(60)
    return Outcome(item, "done", faces=1, seconds=0.5)


def act_slowly(item: BatchFile) -> Outcome:
    """Takes a second, so that there is something to interrupt."""
    outcome = act(item)
    time.sleep(1)
    return outcome


def pids(item: BatchFile) -> list[int]:
    """Processes that have worked on an item."""
    trace = item.directory / "pids"
    return [int(line) for line in trace.read_text().split()] if trace.exists() else []


def write_items(folder: Path, **words: str) -> list[BatchFile]:
    """Items of the given names whose files say what to do."""
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for name, word in words.items():
        source = folder / f"{name}.png"
        source.write_text(word)
        items.append(BatchFile(source, "photo", folder / "out" / name))
    return items
