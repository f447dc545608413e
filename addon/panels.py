"""The panels in the sidebars of the 3D viewport and the image editor."""

from __future__ import annotations

from typing import Any

import bpy

from .operators import chosen_heads
from .preferences import draw_status
from .runtime import runtime
from .scene import identity
from .scene.pose import is_applied

CATEGORY = "SynergyFace"


class SYNERGYFACE_PT_face(bpy.types.Panel):
    """Photo in, head out"""

    bl_label = "SynergyFace"
    bl_category = CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout = self.layout
        _draw_photo(layout, context)
        draw_status(layout)


class SYNERGYFACE_PT_head(bpy.types.Panel):
    """The active head"""

    bl_label = "Head"
    bl_category = CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a head to show."""
        return bool(chosen_heads(context))

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout: Any = self.layout
        head: Any = chosen_heads(context)[-1]
        angles = (head.get(name, 0.0) for name in (identity.YAW, identity.PITCH, identity.ROLL))
        yaw, pitch, roll = (f"{angle:+.0f}°" for angle in angles)
        layout.label(text=f"Yaw {yaw}  pitch {pitch}  roll {roll}", icon="ORIENTATION_GIMBAL")
        applied = is_applied(head)
        layout.operator(
            "synergyface.apply_photo_pose",
            text="Reset Pose" if applied else "Apply Photo Pose",
            icon="LOOP_BACK" if applied else "CON_ROTLIKE",
        )
        keys = head.data.shape_keys
        if keys is not None:
            column = layout.column(align=True)
            for key in keys.key_blocks[1:]:
                column.prop(key, "value", text=key.name, slider=True)


class SYNERGYFACE_PT_image(bpy.types.Panel):
    """The open image as the photo"""

    bl_label = "SynergyFace"
    bl_category = CATEGORY
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        _draw_photo(self.layout, context)


def _draw_photo(layout: Any, context: bpy.types.Context) -> None:
    """Buttons to begin with, or the progress of what has begun."""
    task = runtime().task
    if task is not None:
        progress = task.progress
        row = layout.row(align=True)
        row.progress(factor=progress.fraction, text=progress.stage or "Working")
        row.operator("synergyface.cancel", text="", icon="CANCEL")
        return
    column = layout.column(align=True)
    column.scale_y = 1.4
    column.operator("synergyface.choose_photo", text="Face from Image…", icon="IMAGE_DATA")
    column.operator("synergyface.face_from_active_image", icon="IMAGE_PLANE")
    settings = context.scene.synergyface
    layout.row().prop(settings, "which", expand=True)
    layout.prop(settings, "texture_size")


CLASSES = (SYNERGYFACE_PT_face, SYNERGYFACE_PT_head, SYNERGYFACE_PT_image)
