"""Small tables of numbers as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Row = tuple[str, Sequence[float | None]]


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Attributes
    ----------
    title
        What is measured, with its unit.
    columns
        Their names.
    rows
        Name and values; None is printed as a dash.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def format_table(table: Table, decimals: int = 2) -> str:
    """Return the table as aligned lines."""
    first = max(len(table.title), *(len(name) for name, _ in table.rows), 10)
    widths = [max(len(column), 7) + 2 for column in table.columns]
    lines = [table.title.ljust(first) + "".join(map(str.rjust, table.columns, widths))]
    for name, values in table.rows:
        cells = ["-" if value is None else f"{value:.{decimals}f}" for value in values]
        lines.append(name.ljust(first) + "".join(map(str.rjust, cells, widths)))
    return "\n".join(lines)
