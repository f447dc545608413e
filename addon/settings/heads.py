"""Choices that are kept with the scene.

No property of the add-on has a callback (``get``, ``set``, ``update``, ``items``, ``poll``): the
bpy 4.2 module crashes at its end when such a property has been unregistered.
"""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

import bpy

from ..contract import TextureMode
from . import animation as animation_settings
from . import batch as batch_settings

WHICH = (
    ("largest", "Largest", "The largest face of the photo"),
    ("all", "All", "Every face of the photo, left to right"),
)
TEXTURE_SIZES = (
    ("512", "512 px", "Small"),
    ("1024", "1024 px", "As sharp as most photos"),
    ("2048", "2048 px", "For large photos"),
)
TEXTURE_MODES = (
    (
        TextureMode.PHOTO_NETWORK.value,
        "Photo + Network",
        "The photo; the network fills what it hides",
    ),
    (
        TextureMode.NETWORK.value,
        "Network",
        "All of it by the network: even, without the photo's blemishes",
    ),
    (
        TextureMode.PHOTO.value,
        "Photo + Mirror",
        "The photo; its mirror image and the mean face fill the rest",
    ),
    (
        TextureMode.MEAN.value,
        "Mean Face",
        "The mean face in the photo's light and complexion",
    ),
)
MAX_SUBDIVISION = 3


class SYNERGYFACE_PG_settings(bpy.types.PropertyGroup):
    """How photos are turned into heads"""

    which: bpy.props.EnumProperty(
        name="Faces", description="Which faces of a photo become heads", items=WHICH
    )
    texture_size: bpy.props.EnumProperty(
        name="Texture",
        description="Side of the square texture",
        items=TEXTURE_SIZES,
        default="1024",
    )
    texture_mode: bpy.props.EnumProperty(
        name="Fill",
        description="What the texture shows where the photo does not show the face",
        items=TEXTURE_MODES,
    )
    subdivision: bpy.props.IntProperty(
        name="Subdivision",
        description="Levels of smooth subdivision that new heads have in renders",
        min=0,
        max=MAX_SUBDIVISION,
    )
    animation: bpy.props.PointerProperty(type=animation_settings.SYNERGYFACE_PG_animation)
    batch: bpy.props.PointerProperty(type=batch_settings.SYNERGYFACE_PG_batch)


CLASSES = (*animation_settings.CLASSES, *batch_settings.CLASSES, SYNERGYFACE_PG_settings)
