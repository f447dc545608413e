"""A folder in, many heads out."""

# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from __future__ import annotations

from typing import Any

import bpy

from ..batch.results import FileEach, InThisFile
from ..progress_view import draw_progress
from ..settings.batch import FILE_EACH
from ..wrapping import draw_text
from .sidebar import SidebarPanel


class SYNERGYFACE_PT_batch(SidebarPanel, bpy.types.Panel):
    """Make heads and animations from all files in a folder"""

    bl_label = "Batch"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        if not draw_progress(layout, context, "folder"):
            layout.operator("synergyface.choose_folder", text="Process Folder…", icon="FILE_FOLDER")
        scene: Any = context.scene
        settings = scene.synergyface.batch
        each = settings.result == FILE_EACH
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "result")
        if each:
            column.prop(settings, "output")
        table = (FileEach if each else InThisFile).table
        if table in bpy.data.texts:
            draw_text(layout, context, f"Results are in the text {table!r}", icon="TEXT")


CLASSES = (SYNERGYFACE_PT_batch,)
