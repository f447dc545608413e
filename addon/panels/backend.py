"""The backend's state, with the button that solves its problem."""

from __future__ import annotations

from typing import Any

import bpy

from ..backend_view import draw_remedy, draw_status
from ..preferences import SYNERGYFACE_preferences, backend_location
from ..runtime import runtime
from .sidebar import SidebarPanel


class SYNERGYFACE_PT_backend(SidebarPanel, bpy.types.Panel):
    """State of the backend, the program that does the work"""

    bl_label = "Backend"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        mode = backend_location(context).mode
        draw_status(layout, context, mode)
        draw_remedy(layout, context, mode)
        if runtime().connection.status.state == "failed":
            there = layout.operator(
                "preferences.addon_show", text="Open Preferences…", icon="PREFERENCES"
            )
            there.module = SYNERGYFACE_preferences.bl_idname


CLASSES = (SYNERGYFACE_PT_backend,)
