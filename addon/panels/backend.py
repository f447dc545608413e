"""The backend's state in one line, with the button that solves its problem."""

from __future__ import annotations

from typing import Any

import bpy

from ..backend_view import draw_remedy, draw_status
from ..preferences import SYNERGYFACE_preferences, backend_location
from ..runtime import runtime
from .sidebar import SidebarPanel


class SYNERGYFACE_PT_backend(SidebarPanel, bpy.types.Panel):
    """How the program is doing that does the work"""

    bl_label = "Backend"

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout: Any = self.layout
        row = layout.row()
        mode = backend_location(context).mode
        draw_status(row, mode)
        draw_remedy(row, mode)
        if runtime().connection.status.state == "failed":
            there = row.operator("preferences.addon_show", text="Preferences…")
            there.module = SYNERGYFACE_preferences.bl_idname


CLASSES = (SYNERGYFACE_PT_backend,)
