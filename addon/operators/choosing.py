"""Ways to files that operators share: the file browser, and the drop of a file on the viewport."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

import os
from pathlib import Path
from typing import Any

import bpy

from ..connection.search import find_command
from ..preferences import backend_location
from ..runtime import runtime
from ..scene.context_parts import window_manager_of
from .base import Outcome, ReportingOperator, WhenIdle


class Chooser(WhenIdle, ReportingOperator):
    """Asks for a file or folder, for an operator that may be modal: a file browser's may not.

    The browser shows pictures, and opens where it was left.
    """

    bl_idname: str
    hide_props_region: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    # As Blender's own operators call it; the browser reads it when it opens.
    display_type: bpy.props.EnumProperty(
        items=(
            ("DEFAULT", "Default", ""),
            ("LIST_VERTICAL", "Short List", ""),
            ("LIST_HORIZONTAL", "Long List", ""),
            ("THUMBNAIL", "Thumbnails", ""),
        ),
        default="THUMBNAIL",
        options={"HIDDEN"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Begin, by a click or a dropped file."""
        return self.guard(self.browse, context)

    def browse(self, context: bpy.types.Context) -> Outcome:
        """Open the file browser, which calls `execute`, once there is a backend to do the work."""
        require_backend(context)
        folder = remembered_folder(type(self).bl_idname)
        if folder:
            self.open_at(folder)
        operator: Any = self
        window_manager_of(context).fileselect_add(operator)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> Outcome:
        """Run with what has been chosen."""
        remember_folder(type(self).bl_idname, self.chosen())
        self.hand_over()
        return {"FINISHED"}

    def chosen(self) -> str:
        """Return the path of what has been chosen."""
        raise NotImplementedError

    def open_at(self, folder: str) -> None:
        """Have the browser open at a folder, given with a separator at its end."""
        raise NotImplementedError

    def hand_over(self) -> None:
        """Invoke the other operator with what was chosen."""
        raise NotImplementedError


class FileChooser(Chooser):
    """Asks for a file."""

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    def chosen(self) -> str:
        """Return the file."""
        return self.filepath

    def open_at(self, folder: str) -> None:
        """Open in the folder, without a name."""
        self.filepath = folder


class FolderChooser(Chooser):
    """Asks for a folder."""

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})

    def chosen(self) -> str:
        """Return the folder."""
        return self.directory

    def open_at(self, folder: str) -> None:
        """Open in the folder itself."""
        self.directory = folder


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
        """Begin, by a click or a dropped file."""
        area = context.area if context else None
        return area is not None and area.type == "VIEW_3D"


def remember_folder(who: str, chosen: str) -> None:
    """Have the browser of an operator open next time where this file or folder is."""
    path = Path(bpy.path.abspath(chosen))
    runtime().folders[who] = str(path if path.is_dir() else path.parent)


def remembered_folder(who: str) -> str:
    """Return the folder, with a separator at its end, in which an operator was last; empty if it is
    gone.
    """
    folder = runtime().folders.get(who, "")
    return f"{Path(folder)}{os.sep}" if folder and Path(folder).is_dir() else ""
