"""Choices that are kept with the scene."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

import bpy

WHICH = (
    ("largest", "Largest", "The largest face of the photo"),
    ("all", "All", "Every face of the photo, left to right"),
)
TEXTURE_SIZES = (
    ("512", "512 px", "Small"),
    ("1024", "1024 px", "As sharp as most photos"),
    ("2048", "2048 px", "For large photos"),
)


class SYNERGYFACE_PG_settings(bpy.types.PropertyGroup):
    """How photos are turned into heads"""

    which: bpy.props.EnumProperty(name="Faces", items=WHICH)
    texture_size: bpy.props.EnumProperty(name="Texture", items=TEXTURE_SIZES, default="1024")


CLASSES = (SYNERGYFACE_PG_settings,)
