"""Clip in, keys out."""

# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from __future__ import annotations

from typing import Any

import bpy

from ..motion.recording import Gains
from ..progress_view import draw_progress
from ..scene.animation import is_calibrated, recorded_action
from ..scene.context_parts import scene_of
from ..scene.key_sets import NAMED, key_set
from ..scene.selected import chosen_heads
from .sidebar import CATEGORY, ImagePanel, SidebarPanel

GROUPS = tuple(vars(Gains()))


class SYNERGYFACE_PT_animate(SidebarPanel, bpy.types.Panel):
    """Turn the motion of a face in a video into keyframes"""

    bl_label = "Animate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        column = layout.column(align=True)
        column.scale_y = 1.4
        if not draw_progress(column, context, "video"):
            column.operator(
                "synergyface.choose_clip", text="Animate from Video…", icon="FILE_MOVIE"
            )
        column.operator("synergyface.import_live_link", text="Live Link Face…", icon="IMPORT")
        actions = list(filter(None, map(recorded_action, chosen_heads(context))))
        if actions:
            column.operator("synergyface.smooth_again", icon="SMOOTHCURVE")
            row = column.row(align=True)
            row.operator("synergyface.calibrate", icon="PIVOT_CURSOR").action = "SET"
            if any(is_calibrated(action) for action in actions):
                row.operator("synergyface.calibrate", text="", icon="LOOP_BACK").action = "RESET"
        scene: Any = context.scene
        settings = scene.synergyface.animation
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.row().prop(settings, "head", expand=True)
        column.prop(settings, "faces")
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
    """How strongly to smooth the motion"""

    bl_label = "Smoothing"
    bl_parent_id = "SYNERGYFACE_PT_animate"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        scene: Any = context.scene
        layout.use_property_split = True
        layout.use_property_decorate = False
        groups = GROUPS if _named(context) else ("expression",)
        column = layout.column(align=True)
        for name in ("rotation", "position", *groups, "gain"):
            column.prop(scene.synergyface.animation, name)


class SYNERGYFACE_PT_gains(SidebarPanel, bpy.types.Panel):
    """Strength of each group of expression keys"""

    bl_label = "Gain by Group"
    bl_parent_id = "SYNERGYFACE_PT_smoothing"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run now."""
        return _named(context)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        scene: Any = context.scene
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(align=True)
        for name in GROUPS:
            column.prop(scene.synergyface.animation, f"{name}_gain")


def _named(context: bpy.types.Context) -> bool:
    """Whether the chosen head, or a new one, has named keys."""
    heads, scene = chosen_heads(context), scene_of(context)
    settings: Any = scene.synergyface  # type: ignore[attr-defined]
    return key_set(heads[-1]) == NAMED if heads else settings.keys == NAMED.identifier


class SYNERGYFACE_PT_movie_clip(bpy.types.Panel):
    """Animate a head from the movie clip that is open"""

    bl_label = "Animate"
    bl_category = CATEGORY
    bl_space_type = "CLIP_EDITOR"
    bl_region_type = "UI"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        space: Any = context.space_data
        _draw_open(self.layout, context, clip=space.clip.name if space.clip else "")


class SYNERGYFACE_PT_film(ImagePanel, bpy.types.Panel):
    """Animate a head from the video or image sequence that is open"""

    bl_label = "Animate"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run now."""
        image = getattr(context, "edit_image", None)
        return image is not None and image.source in ("MOVIE", "SEQUENCE")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        image: Any = getattr(context, "edit_image", None)
        _draw_open(self.layout, context, image=image.name)


def _draw_open(layout: Any, context: bpy.types.Context, **source: str) -> None:
    """Draw a button for the clip that is open; settings are in the viewport's sidebar."""
    if draw_progress(layout, context, "video"):
        return
    [(name, value)] = source.items()
    row = layout.row()
    row.enabled = bool(value)
    chosen = row.operator("synergyface.animate_from_video", icon="FILE_MOVIE")
    setattr(chosen, name, value)


CLASSES = (
    SYNERGYFACE_PT_animate,
    SYNERGYFACE_PT_smoothing,
    SYNERGYFACE_PT_gains,
    SYNERGYFACE_PT_movie_clip,
    SYNERGYFACE_PT_film,
)
