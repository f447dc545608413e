"""Calibration of animated heads: which frame of a film shows the face at rest."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from dataclasses import replace

import bpy

from ..scene.animation import animate_again, present_action, style_of
from ..scene.clip import frame_rate
from ..scene.context_parts import scene_of
from .selection import EachHead


class SYNERGYFACE_OT_calibrate(EachHead, bpy.types.Operator):
    """Take the face at this frame as neutral. Every expression key is counted from there"""

    bl_idname = "synergyface.calibrate"
    bl_label = "Calibrate at This Frame"
    bl_options = {"REGISTER", "UNDO"}

    action: bpy.props.EnumProperty(
        name="Action",
        items=(
            ("SET", "This Frame", "The face is neutral at this frame"),
            ("RESET", "Reset", "Take the expression keys as they were measured"),
        ),
        options={"SKIP_SAVE"},
    )

    def treat(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Make the keys anew."""
        scene, style = scene_of(context), style_of(present_action(head))
        rate = frame_rate(scene)
        second = style.first_second + (scene.frame_current_final - style.start) / rate
        neutral = second if self.action == "SET" else None
        animate_again(head, replace(style, neutral=neutral), rate)


CLASSES = (SYNERGYFACE_OT_calibrate,)
