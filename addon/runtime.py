"""What lives from `register` to `unregister`: the one place where the add-on keeps state."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import bpy

from .connection.connection import Connection
from .diagnostics import Diagnostics
from .scene.context_parts import window_manager_of
from .tasks import Task

JOIN_SECONDS = 2.0

# What a task is for: its progress is shown where it was started.
Job = Literal["photo", "video", "folder", "texture", "replacement", "backend", "installation"]


class Runtime:
    """Connection to the backend, log, and the task that runs at the moment with its timer.

    Attributes
    ----------
    task, timer
        None while nothing is at work.
    operator
        Class of the operator that looks after the task.
    folders
        Where the user was last, by the operator that asked for a file.
    key_is_free
        Whether nothing else was there to be stopped by Esc when that was last pressed.
    token
        Secret of a backend at an address. It is kept here and nowhere else: Blender's settings are
        a file that others may read.
    """

    def __init__(self, folder: Path, version: str) -> None:
        self.version = version
        self.token = ""
        self.diagnostics = Diagnostics(folder, version)
        self.connection = Connection(folder)
        self.task: Task[Any] | None = None
        self.folders: dict[str, str] = {}
        self.timer: bpy.types.Timer | None = None
        self.operator: type[Any] | None = None
        self.key_is_free = True

    @property
    def busy(self) -> bool:
        """Whether a task runs that the user waits for."""
        return self.task is not None

    @property
    def backend_runs(self) -> bool:
        """Whether the backend is there, or on its way."""
        return self.connection.status.state in ("starting", "loading", "ready")

    @property
    def key_cancels(self) -> bool:
        """Whether Esc stops the task."""
        return self.busy and self.key_is_free and getattr(self.operator, "esc_cancels", False)

    def task_for(self, *jobs: Job) -> Task[Any] | None:
        """Return the task that runs at the moment, if it is for one of these jobs."""
        return self.task if getattr(self.operator, "job", None) in jobs else None

    def remove_timer(self) -> None:
        """End the ticks of the modal operator that looks after the task."""
        timer, self.timer = self.timer, None
        if timer is not None:
            window_manager_of(bpy.context).event_timer_remove(timer)

    def close(self) -> None:
        """Stop everything."""
        task, self.task = self.task, None
        if task is not None:
            task.cancel()
        self.remove_timer()
        self.connection.stop()
        if task is not None:
            task.join(JOIN_SECONDS)
        self.diagnostics.close()


_runtimes: list[Runtime] = []


def runtime() -> Runtime:
    """Return the registered add-on's runtime."""
    return _runtimes[-1]


def open_runtime(folder: Path, version: str) -> None:
    """Begin; called by `register`."""
    _runtimes.append(Runtime(folder, version))


def close_runtime() -> None:
    """End; called by `unregister`."""
    while _runtimes:
        _runtimes.pop().close()
