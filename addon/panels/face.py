"""Photo in, head out."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators.quality import quality_of
from .sidebar import SidebarPanel, draw_progress


class SYNERGYFACE_PT_face(SidebarPanel, bpy.types.Panel):
    """Photo in, head out"""

    bl_label = "Face"

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        draw_photo(self.layout, context)


def draw_photo(layout: Any, context: bpy.types.Context) -> None:
    """Buttons to begin with, or the progress of what has begun."""
    if draw_progress(layout):
        return
    column = layout.column(align=True)
    column.scale_y = 1.4
    column.operator("synergyface.choose_photo", text="Face from Image…", icon="IMAGE_DATA")
    column.operator("synergyface.face_from_active_image", icon="IMAGE_PLANE")
    scene: Any = context.scene
    settings = scene.synergyface
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.row().prop(settings, "which", expand=True)
    column.operator_menu_enum(
        "synergyface.set_quality", "quality", text=f"Quality: {quality_of(settings)}"
    )
    column.prop(settings, "texture_size")
    column.prop(settings, "texture_mode")
    column.prop(settings, "subdivision")


CLASSES = (SYNERGYFACE_PT_face,)
