"""What the panels have in common. They are mix-ins: combine them with ``bpy.types.Panel``."""

from __future__ import annotations

from typing import Any

from ..runtime import runtime

CATEGORY = "SynergyFace"


class SidebarPanel:
    """Sidebar of the 3D viewport, tab SynergyFace."""

    bl_category = CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"


class ImagePanel:
    """Sidebar of the image editor, tab SynergyFace."""

    bl_category = CATEGORY
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"


def draw_progress(layout: Any) -> bool:
    """How far the running task is, with a button that stops it; False if none runs."""
    task = runtime().task
    if task is None:
        return False
    progress = task.progress
    row = layout.row(align=True)
    row.progress(factor=progress.fraction, text=progress.stage or "Working")
    row.operator("synergyface.cancel", text="", icon="CANCEL")
    return True
