"""What the panels have in common. They are mix-ins: combine them with ``bpy.types.Panel``."""

from __future__ import annotations

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
