"""Ways to files that operators share: the file browser, and the drop of a file on the viewport."""

from __future__ import annotations

import bpy

from ..connection.search import find_command
from ..preferences import backend_location
from ..runtime import runtime
from ..scene.opened import window_manager_of
from .base import Outcome, ReportingOperator, WhenIdle


class Chooser(WhenIdle, ReportingOperator):
    """Asks for a file or folder, for an operator that may be modal: a file browser's may not."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Open the file browser, which calls `execute`."""
        return self.guard(self.browse, context)

    def browse(self, context: bpy.types.Context) -> Outcome:
        """As `invoke`, once there is a backend to make something of what is chosen."""
        require_backend(context)
        window_manager_of(context).fileselect_add(self)  # pyright: ignore[reportArgumentType]
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> Outcome:
        """Called when something has been chosen."""
        self.hand_over()
        return {"FINISHED"}

    def hand_over(self) -> None:
        """Invoke the other operator with what was chosen."""
        raise NotImplementedError


def require_backend(context: bpy.types.Context) -> None:
    """Look for the backend, without starting it.

    Raises
    ------
    BackendError
        This computer has none.
    """
    location = backend_location(context)
    # One that was started by hand, at an address, is asked by the work itself.
    if location.mode != "address" and not runtime().backend_runs:
        find_command(location.python if location.mode == "python" else "")


class DroppedOnView:
    """Takes files that are dropped on the 3D viewport or its sidebar.

    Over the scene itself some versions of Blender take images first.
    """

    @classmethod
    def poll_drop(cls, context: bpy.types.Context | None) -> bool:
        """Called by Blender."""
        area = context.area if context else None
        return area is not None and area.type == "VIEW_3D"
