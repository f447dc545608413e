"""Entries in Blender's own menus, through which its search (F3) finds the operators too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from .operators.export import FORMATS

NAME = "SynergyFace"


def draw_add(menu: Any, context: bpy.types.Context) -> None:
    """Add > Mesh."""
    menu.layout.separator()
    menu.layout.operator("synergyface.choose_photo", text="Face from Image…", icon="USER")


def draw_import(menu: Any, context: bpy.types.Context) -> None:
    """Draw File > Import."""
    for operator, text in (
        ("choose_photo", "Face from Image"),
        ("choose_clip", "Animate Face from Video"),
        ("choose_folder", "Faces from Folder"),
    ):
        menu.layout.operator(f"synergyface.{operator}", text=f"{text} ({NAME})")
    menu.layout.operator("synergyface.import_live_link", text=f"Live Link Face (.csv, {NAME})")


def draw_export(menu: Any, context: bpy.types.Context) -> None:
    """Draw File > Export."""
    endings = "/".join(f".{ending}" for ending, *_ in FORMATS)
    menu.layout.operator("synergyface.export_head", text=f"{NAME} Head ({endings})")
    menu.layout.operator("synergyface.export_motion", text=f"{NAME} Animation (.csv)")
    menu.layout.operator("synergyface.export_live_link", text=f"Live Link Face (.csv, {NAME})")


def draw_object(menu: Any, context: bpy.types.Context) -> None:
    """Draw Object, in the 3D viewport."""
    menu.layout.separator()
    menu.layout.menu("SYNERGYFACE_MT_head")


class SYNERGYFACE_MT_head(bpy.types.Menu):
    """What can be done with heads that SynergyFace made"""

    bl_label = "SynergyFace Head"

    def draw(self, context: Any) -> None:
        """Draw it."""
        layout: Any = self.layout
        layout.operator("synergyface.apply_photo_pose", text="Apply or Reset Photo Pose")
        layout.operator_menu_enum("synergyface.show_region", "region", text="Show or Hide Part")
        layout.operator("synergyface.join_parts")
        layout.operator("synergyface.subdivide")
        layout.operator("synergyface.landmarks", text="Add or Remove Landmarks")
        layout.menu("SYNERGYFACE_MT_texture")
        layout.separator()
        layout.operator("synergyface.smooth_again")
        layout.operator("synergyface.calibrate")
        layout.operator("synergyface.transfer")


# By name: add-ons may replace Blender's menus.
ENTRIES: tuple[tuple[str, Callable[[Any, bpy.types.Context], None]], ...] = (
    ("VIEW3D_MT_mesh_add", draw_add),
    ("TOPBAR_MT_file_import", draw_import),
    ("TOPBAR_MT_file_export", draw_export),
    ("VIEW3D_MT_object", draw_object),
)

CLASSES = (SYNERGYFACE_MT_head,)


def add_entries() -> None:
    """Add them, when the add-on is switched on."""
    for menu, draw in ENTRIES:
        getattr(bpy.types, menu).append(draw)


def remove_entries() -> None:
    """Remove them, when the add-on is switched off."""
    for menu, draw in ENTRIES:
        getattr(bpy.types, menu).remove(draw)
