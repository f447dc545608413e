"""Choices that are kept with the scene.

No property of the add-on has a callback (``get``, ``set``, ``update``, ``items``, ``poll``): the
bpy 4.2 module crashes at its end when such a property has been unregistered.
"""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

import bpy

from ..exchange.contract import TextureMode
from . import animation as animation_settings
from . import batch as batch_settings
from . import transfer as transfer_settings

WHICH = (
    ("largest", "Largest", "The largest face in the photo"),
    ("all", "All", "Every face in the photo, from left to right"),
)
TEXTURE_SIZES = (
    ("512", "512 px", "Small and fast"),
    ("1024", "1024 px", "Enough for most photos"),
    ("2048", "2048 px", "For large photos"),
)
TEXTURE_MODES = (
    (
        TextureMode.PHOTO_NETWORK.value,
        "Photo + Network",
        "Use the photo. A network fills what it does not show",
    ),
    (
        TextureMode.NETWORK.value,
        "Network",
        "Let a network make everything: even skin, without blemishes and with less detail",
    ),
    (
        TextureMode.PHOTO.value,
        "Photo + Mirror",
        "Use the photo. Its mirror image and an average face fill the rest",
    ),
    (
        TextureMode.MEAN.value,
        "Average Face",
        "An average face in the light and skin tone of the photo",
    ),
)
PARTS = (
    ("head", "Whole Head", "Face, skull, eyes, teeth and tongue"),
    ("face", "Face", "The face alone, open at the back"),
)
KEYS = (
    ("named", "Named", "The 52 expressions of ARKit, such as jawOpen, from 0 to 1"),
    ("bfm", "BFM", "The ten of the Basel Face Model, for the face alone"),
)
MAX_SUBDIVISION = 3


class SYNERGYFACE_PG_settings(bpy.types.PropertyGroup):
    """How photos become heads"""

    which: bpy.props.EnumProperty(
        name="Faces", description="The faces in the photo to make heads from", items=WHICH
    )
    texture_size: bpy.props.EnumProperty(
        name="Texture",
        description="Width and height of the texture",
        items=TEXTURE_SIZES,
        default="1024",
    )
    texture_mode: bpy.props.EnumProperty(
        name="Fill",
        description="How to fill the parts of the texture that the photo does not show",
        items=TEXTURE_MODES,
    )
    subdivision: bpy.props.IntProperty(
        name="Subdivision",
        description="Subdivision levels of new heads in renders",
        min=0,
        max=MAX_SUBDIVISION,
    )
    parts: bpy.props.EnumProperty(
        name="Parts", description="What new heads have beside the face", items=PARTS
    )
    keys: bpy.props.EnumProperty(
        name="Keys", description="The expression keys of new heads", items=KEYS
    )
    animation: bpy.props.PointerProperty(type=animation_settings.SYNERGYFACE_PG_animation)
    batch: bpy.props.PointerProperty(type=batch_settings.SYNERGYFACE_PG_batch)
    transfer: bpy.props.PointerProperty(type=transfer_settings.SYNERGYFACE_PG_transfer)


CLASSES = (
    *animation_settings.CLASSES,
    *batch_settings.CLASSES,
    *transfer_settings.CLASSES,
    SYNERGYFACE_PG_settings,
)
