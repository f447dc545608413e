"""Clip in, keys out."""

# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from __future__ import annotations

from typing import Any

import bpy

from ..scene.animation import recorded_action
from ..selection import chosen_heads
from .sidebar import SidebarPanel, draw_progress


class SYNERGYFACE_PT_animate(SidebarPanel, bpy.types.Panel):
    """Clip in, keys out"""

    bl_label = "Animate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout: Any = self.layout
        if draw_progress(layout):
            return
        column = layout.column(align=True)
        column.scale_y = 1.4
        column.operator("synergyface.choose_clip", text="Animate from Video…", icon="FILE_MOVIE")
        if any(recorded_action(head) for head in chosen_heads(context)):
            column.operator("synergyface.smooth_again", icon="SMOOTHCURVE")
        scene: Any = context.scene
        settings = scene.synergyface.animation
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.row().prop(settings, "head", expand=True)
        column.row().prop(settings, "faces", expand=True)
        if settings.faces == "number":
            column.prop(settings, "number")
        column = layout.column(align=True)
        column.prop(settings, "first_second")
        column.prop(settings, "last_second")
        column.prop(settings, "start_frame")
        column = layout.column(heading="Use")
        column.prop(settings, "use_scene_rate")
        column.prop(settings, "use_texture")
        column.prop(settings, "use_camera")
        layout.prop(settings, "focal_length")


class SYNERGYFACE_PT_smoothing(SidebarPanel, bpy.types.Panel):
    """What Smooth Again can change later"""

    bl_label = "Smoothing"
    bl_parent_id = "SYNERGYFACE_PT_animate"

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout: Any = self.layout
        scene: Any = context.scene
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(align=True)
        for name in ("rotation", "position", "expression", "gain"):
            column.prop(scene.synergyface.animation, name)


CLASSES = (SYNERGYFACE_PT_animate, SYNERGYFACE_PT_smoothing)
