"""What became of each file of a batch: a text of the .blend file, one line per file.

The text is for people to read, and for the next run to know what is done: it survives saving.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import bpy

COLUMNS = ("file", "state", "heads", "detail")
DONE, FAILED, LEFT_OUT = "done", "failed", "left out"


@dataclass(frozen=True)
class Row:
    """One file.

    Attributes
    ----------
    file
        Its absolute path.
    state
        ``done``, ``failed`` or ``left out``.
    heads
        How many heads it gave.
    detail
        What went wrong, why it was left out, or the .blend file that was written.
    """

    file: str
    state: str
    heads: int = 0
    detail: str = ""


def read_table(name: str) -> dict[str, Row]:
    """Return rows by file; lines that are none, because somebody edited the text, are passed
    over.
    """
    text: Any = bpy.data.texts.get(name)
    rows = {}
    for line in text.as_string().splitlines() if text else []:
        fields = line.split("\t")
        if len(fields) == len(COLUMNS) and fields[2].isdecimal():
            rows[fields[0]] = Row(fields[0], fields[1], int(fields[2]), fields[3])
    return rows


def write_table(name: str, rows: Iterable[Row]) -> None:
    """Write the text of that name anew."""
    text: Any = bpy.data.texts.get(name) or bpy.data.texts.new(name)
    lines = [COLUMNS, *((row.file, row.state, str(row.heads), row.detail) for row in rows)]
    text.from_string("\n".join("\t".join(_plain(field) for field in line) for line in lines) + "\n")


def _plain(field: str) -> str:
    """Leave out what would end a field or a line."""
    return " ".join(field.split())
