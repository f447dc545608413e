"""Every difference between the Blender versions that the add-on supports (4.2 to 5.x)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

BLENDER_5 = (5, 0, 0)


def node_tree(material: bpy.types.Material) -> bpy.types.NodeTree:
    """Node tree of a material, made if need be.

    Since 5.0 every material has one, and ``use_nodes`` warns.
    """
    if bpy.app.version < BLENDER_5:
        material.use_nodes = True
    assert material.node_tree is not None
    return material.node_tree


@contextmanager
def png_output(settings: bpy.types.ImageFormatSettings) -> Iterator[None]:
    """Let a block save as PNG, and give back the user's format.

    Since 5.0 the formats on offer depend on ``media_type``.
    """
    file_format = settings.file_format
    media_type = settings.media_type if bpy.app.version >= BLENDER_5 else None
    if media_type is not None:
        settings.media_type = "IMAGE"
    settings.file_format = "PNG"
    try:
        yield
    finally:
        if media_type is not None:
            settings.media_type = media_type
        settings.file_format = file_format
