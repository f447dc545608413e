"""Outcomes of a batch as a table: a CSV file, and text for a terminal."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.batch.items import Outcome
from backend.data_folder import atomic_path, require_room
from backend.errors import BadInputError

COLUMNS = ("file", "kind", "state", "faces", "seconds", "folder", "problem")


def row(outcome: Outcome) -> dict[str, Any]:
    """An outcome by the names of `COLUMNS`."""
    return {
        "file": str(outcome.item.source),
        "kind": outcome.item.kind,
        "state": outcome.state,
        "faces": outcome.faces,
        "seconds": round(outcome.seconds, 2),
        "folder": str(outcome.item.directory) if outcome.state in ("done", "kept") else "",
        "problem": outcome.problem,
    }


def require_table(path: Path) -> None:
    """Raise unless the CSV file can be written, in place of at most another one of ours.

    Raises
    ------
    BadInputError
        Something else is there, or its folder cannot be written to.
    """
    require_room(path.parent)
    if not os.path.lexists(path):
        return
    try:
        with path.open("rb") as file:
            ours = file.readline().strip() == ",".join(COLUMNS).encode()
    except OSError:
        ours = False
    if not ours:
        raise BadInputError(
            f"{path} was not made by a batch, and the table of results would replace it.",
            "Move it away, or choose another folder.",
            code="unwritable",
        )


def write_table(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the CSV file, in UTF-8; bytes in names that are none are shown by their numbers.

    Raises
    ------
    BadInputError
        It cannot be written.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer: csv.DictWriter[str] = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(row(outcome) for outcome in outcomes)


def text_table(outcomes: Sequence[Outcome]) -> str:
    """A line for every file, and one that counts."""
    width = max((len(outcome.item.source.name) for outcome in outcomes), default=0)
    lines = [
        f"{outcome.item.source.name:<{width}}  {outcome.state:<6}  {_said(outcome)}"
        for outcome in outcomes
    ]
    counts = Counter(outcome.state for outcome in outcomes)
    told = ["done", "kept", "failed", *(["skipped"] if counts["skipped"] else [])]
    lines.append(", ".join(f"{counts[state]} {state}" for state in told))
    return "\n".join(lines)


def _said(outcome: Outcome) -> str:
    if outcome.state in ("failed", "skipped"):
        return outcome.problem
    return f"{outcome.faces} faces, {outcome.seconds:.1f} s  {outcome.problem}".rstrip()
