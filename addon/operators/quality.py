"""Qualities: settings for new heads, chosen together."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from typing import Any

import bpy

from .base import Outcome, ReportingOperator

QUALITIES: dict[str, dict[str, Any]] = {
    "draft": {"texture_size": "512", "subdivision": 0},
    "standard": {"texture_size": "1024", "subdivision": 0},
    "high": {"texture_size": "2048", "subdivision": 1},
}
ITEMS = (
    ("draft", "Draft", "Small texture and plain mesh, to try photos quickly"),
    ("standard", "Standard", "Enough for most photos"),
    ("high", "High", "Large texture, smooth in renders, for close-ups"),
)


def quality_of(settings: Any) -> str:
    """Name of the quality whose values the scene's settings have, or ``Custom``."""
    for quality, name, _ in ITEMS:
        if all(getattr(settings, key) == value for key, value in QUALITIES[quality].items()):
            return name
    return "Custom"


class SYNERGYFACE_OT_set_quality(ReportingOperator, bpy.types.Operator):
    """Set texture size and subdivision of new heads together"""

    bl_idname = "synergyface.set_quality"
    bl_label = "Quality"
    bl_options = {"UNDO"}

    quality: bpy.props.EnumProperty(name="Quality", items=ITEMS, default="standard")

    def run(self, context: bpy.types.Context) -> Outcome:
        """Set the scene's settings."""
        scene: Any = context.scene
        for name, value in QUALITIES[self.quality].items():
            setattr(scene.synergyface, name, value)
        return {"FINISHED"}


CLASSES = (SYNERGYFACE_OT_set_quality,)
