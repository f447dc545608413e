"""A batch: the files of a folder one after the other, resumable, with a table of results."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import bpy

from ..connection.client import BackendError
from ..problems import Problem
from ..runtime import runtime
from ..scene.result_table import FAILED, LEFT_OUT, Row, read_table, write_table
from ..tasks import CancelledError, Reporter, Task
from .items import FileJob
from .results import Result

log = logging.getLogger(__package__)


class Batch:
    """Files that are still to do, and the rows of those that are done.

    Parameters
    ----------
    context
        Of the open scene.
    items
        What is already there of them, from an earlier batch, is passed over.
    result
        Where heads and actions go.
    left_out
        Rows of the files beside them, for a table of their own.
    """

    def __init__(
        self,
        context: bpy.types.Context,
        items: Sequence[FileJob],
        result: Result,
        left_out: Sequence[Row] = (),
    ) -> None:
        self.result = result
        self._left_out = left_out
        self._rows = read_table(result.table)
        self._total = len(items)
        self._left = [item for item in items if not result.has(context, item.path, self._rows)]
        self._to_do = len(self._left)
        self._failed = 0

    @property
    def summary(self) -> str:
        """What has been done, for the status bar."""
        done = self._total - len(self._left) - self._failed
        parts = [f"{done} of {self._total} files done"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        return ", ".join(parts)

    @property
    def begun(self) -> bool:
        """Whether it has done anything, be it in vain."""
        return len(self._left) < self._to_do

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return not self._left

    def work(self, report: Reporter) -> Any:
        """Return what the worker does for the next file."""
        item = self._left[0]
        done, total = self._total - len(self._left), self._total
        name, subject = f"{done + 1} of {total}", item.path.name
        return item.work(report.part(done / total, (done + 1) / total, name, subject))

    def settle(self, context: bpy.types.Context, task: Task[Any]) -> None:
        """Keep what the task has found, and put a row into the table.

        Raises
        ------
        BackendError
            The backend itself does not work, so no file would.
        CancelledError
            The task was cancelled.
        """
        item = self._left[0]
        try:
            row = self.result.put(context, item, task.result(), self._rows)
        except CancelledError:
            raise
        except Exception as error:
            if isinstance(error, BackendError) and runtime().connection.status.state != "ready":
                raise
            self._failed += 1
            row = Row(str(item.path), FAILED, detail=_reason(error))
        del self._left[0]
        self._rows[row.file] = row
        write_table(self.result.table, self._rows.values())
        if self._left_out:
            write_table(f"{self.result.table} {LEFT_OUT.title()}", self._left_out)


def _reason(error: Exception) -> str:
    if isinstance(error, (BackendError, Problem)):
        return str(error)
    log.error("A file of the batch failed", exc_info=error)
    return "Unexpected error. Copy Diagnostics in the add-on's preferences has the details."
