"""Photo in, head out."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators.photo import open_image
from ..operators.quality import quality_of
from ..progress_view import draw_progress
from .sidebar import SidebarPanel


class SYNERGYFACE_PT_face(SidebarPanel, bpy.types.Panel):
    """Make a head from a photo"""

    bl_label = "Face"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        draw_photo(self.layout, context)


def draw_photo(layout: Any, context: bpy.types.Context) -> None:
    """Buttons that begin, or the progress of what has begun; and how heads are made."""
    column = layout.column(align=True)
    column.scale_y = 1.4
    if not draw_progress(column, context, "photo"):
        column.operator("synergyface.choose_photo", text="Face from Image…", icon="IMAGE_DATA")
    row = column.row(align=True)
    row.enabled = open_image(context) is not None
    row.operator("synergyface.face_from_active_image", icon="IMAGE_PLANE")
    scene: Any = context.scene
    settings = scene.synergyface
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.row().prop(settings, "which", expand=True)
    column.prop(settings, "keys")
    row = column.row()
    row.active = settings.keys == "named"
    row.prop(settings, "parts")
    column.operator_menu_enum(
        "synergyface.set_quality", "quality", text=f"Quality: {quality_of(settings)}"
    )
    column.prop(settings, "texture_size")
    column.prop(settings, "texture_mode")
    column.prop(settings, "subdivision")


CLASSES = (SYNERGYFACE_PT_face,)
