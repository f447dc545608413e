"""A head's motion on somebody's own character."""

# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from __future__ import annotations

from typing import Any

import bpy

from ..exchange.expressions import EXPRESSION_NAMES
from ..operators.transfer import strangers
from ..scene.character import keys_of
from ..scene.context_parts import scene_of
from ..wrapping import draw_text
from .head import HeadPanel, key_words
from .sidebar import SidebarPanel


class SYNERGYFACE_PT_transfer(HeadPanel, bpy.types.Panel):
    """Give the motion of the head to a character of yours"""

    bl_label = "Transfer"
    bl_parent_id = "SYNERGYFACE_PT_head"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        scene: Any = scene_of(context)
        settings = scene.synergyface.transfer
        meshes = characters(context)
        if not meshes:
            draw_text(layout, context, "Select your character too", icon="INFO")
        for mesh in meshes:
            draw_text(
                layout, context, f"{mesh.name}: {len(keys_of(mesh))} keys", icon="SHAPEKEY_DATA"
            )
        layout.operator("synergyface.transfer", icon="ARMATURE_DATA")
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(align=True)
        column.prop(settings, "rig")
        if settings.rig is None:
            return
        column.prop(settings, "facing")
        if settings.rig.pose is None:
            return
        for name in ("bone", "neck_bone", "left_eye", "right_eye"):
            column.prop_search(settings, name, settings.rig.data, "bones")
            if name == "neck_bone" and settings.neck_bone:
                column.prop(settings, "neck_share")


class SYNERGYFACE_PT_key_names(SidebarPanel, bpy.types.Panel):
    """Which shape keys of the active mesh are which expressions"""

    bl_label = "Key Names"
    bl_parent_id = "SYNERGYFACE_PT_transfer"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run now."""
        return bool(characters(context))

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        mesh: Any = characters(context)[0]
        keys, found = mesh.data.shape_keys, keys_of(mesh)
        draw_text(layout, context, mesh.name, icon="MESH_DATA")
        column = layout.column(align=True)
        for name in EXPRESSION_NAMES:
            row = column.split(factor=0.5, align=True)
            row.alert = name not in found
            row.label(text=_short(name))
            row.prop_search(keys.synergyface, name, keys, "key_blocks", text="")


def _short(name: str) -> str:
    """For a narrow column: *Smile L*."""
    return key_words(name).replace(" Left", " L").replace(" Right", " R")


def characters(context: bpy.types.Context) -> list[Any]:
    """Return selected meshes with shape keys that are no heads."""
    meshes: list[Any] = strangers(context)
    return [mesh for mesh in meshes if mesh.data.shape_keys]


CLASSES = (SYNERGYFACE_PT_transfer, SYNERGYFACE_PT_key_names)
