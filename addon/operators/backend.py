"""Operators on the backend: start, stop, log and diagnostics."""

# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from ..preferences import backend_location
from ..problems import Problem
from ..runtime import Runtime, runtime
from ..scene.context_parts import window_manager_of
from ..tasks import Reporter
from .base import Outcome, ReportingOperator, TaskOperator


class Switch(TaskOperator):
    """Base of the operators that start and stop the backend.

    A button is grey while it has nothing to do. A script may call them at any time.
    """

    job = "backend"
    when_running: bool

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run now."""
        return bpy.app.background or cls.has_use(runtime())

    @classmethod
    def has_use(cls, current: Runtime) -> bool:
        """Tell whether something would change."""
        return not current.busy and current.backend_runs == cls.when_running


class SYNERGYFACE_OT_start_backend(Switch, bpy.types.Operator):
    """Start the backend, or connect to the one in the preferences"""

    bl_idname = "synergyface.start_backend"
    bl_label = "Start Backend"
    bl_options = {"INTERNAL"}
    when_running = False

    def work(self, context: bpy.types.Context) -> Callable[[Reporter], Any]:
        """Connect."""
        connection, location = runtime().connection, backend_location(context)
        return lambda report: connection.client(location, report)

    def finish(self, context: bpy.types.Context, value: Any) -> None:
        """Tell."""
        self.report({"INFO"}, "The backend is ready")


class SYNERGYFACE_OT_stop_backend(Switch, bpy.types.Operator):
    """Stop the backend that the add-on started"""

    bl_idname = "synergyface.stop_backend"
    bl_label = "Stop Backend"
    bl_options = {"INTERNAL"}
    when_running = True

    def work(self, context: bpy.types.Context) -> Callable[[Reporter], Any]:
        """Stop it, which may take seconds too."""
        connection = runtime().connection
        return lambda _: connection.stop()

    def finish(self, context: bpy.types.Context, value: Any) -> None:
        """Tell."""
        self.report({"INFO"}, "The backend has stopped")


class SYNERGYFACE_OT_open_log(ReportingOperator, bpy.types.Operator):
    """Open the log of the add-on and the backend"""

    bl_idname = "synergyface.open_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    def run(self, context: bpy.types.Context) -> Outcome:
        """Open it with the system's program for text files."""
        path = runtime().diagnostics.log_file
        if not path.exists():
            raise Problem("There is no log yet.")
        bpy.ops.wm.path_open(filepath=str(path))
        return {"FINISHED"}


class SYNERGYFACE_OT_copy_diagnostics(ReportingOperator, bpy.types.Operator):
    """Copy versions, the state of the backend and recent errors, for a bug report"""

    bl_idname = "synergyface.copy_diagnostics"
    bl_label = "Copy Diagnostics"
    bl_options = {"INTERNAL"}

    def run(self, context: bpy.types.Context) -> Outcome:
        """Copy."""
        current = runtime()
        window_manager_of(context).clipboard = current.diagnostics.report(current.connection)
        self.report({"INFO"}, "The diagnostics were copied to the clipboard")
        return {"FINISHED"}


CLASSES = (
    SYNERGYFACE_OT_start_backend,
    SYNERGYFACE_OT_stop_backend,
    SYNERGYFACE_OT_open_log,
    SYNERGYFACE_OT_copy_diagnostics,
)
