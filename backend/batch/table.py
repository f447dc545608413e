"""Outcomes of a batch as a table: a CSV file, and text for a terminal."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.batch.items import Outcome
from backend.data_folder import atomic_path

COLUMNS = ("file", "kind", "state", "faces", "seconds", "folder", "problem")


def row(outcome: Outcome) -> dict[str, Any]:
    """An outcome by the names of `COLUMNS`."""
    return {
        "file": str(outcome.item.source),
        "kind": outcome.item.kind,
        "state": outcome.state,
        "faces": outcome.faces,
        "seconds": round(outcome.seconds, 2),
        "folder": "" if outcome.state == "failed" else str(outcome.item.directory),
        "problem": outcome.problem,
    }


def write_table(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the CSV file.

    Raises
    ------
    BadInputError
        It cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer: csv.DictWriter[str] = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(row(outcome) for outcome in outcomes)


def text_table(outcomes: Sequence[Outcome]) -> str:
    """A line for every item, and one that counts."""
    width = max((len(outcome.item.source.name) for outcome in outcomes), default=0)
    lines = [
        f"{outcome.item.source.name:<{width}}  {outcome.state:<6}"
        + (
            f"  {outcome.problem}"
            if outcome.state == "failed"
            else f"  {outcome.faces} faces, {outcome.seconds:.1f} s"
        )
        for outcome in outcomes
    ]
    counts = dict.fromkeys(("done", "kept", "failed"), 0)
    for outcome in outcomes:
        counts[outcome.state] += 1
    lines.append(", ".join(f"{count} {state}" for state, count in counts.items()))
    return "\n".join(lines)
