"""Where the motion of a head goes on somebody's character: kept with the scene and its meshes."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

import bpy

from ..exchange.expressions import EXPRESSION_NAMES

FACINGS = (
    ("FRONT", "-Y", "As Blender's own front view sees it"),
    ("RIGHT", "+X", "To the right of Blender's front view"),
    ("BACK", "+Y", "Away from Blender's front view"),
    ("LEFT", "-X", "To the left of Blender's front view"),
)


class TransferOptions:
    """A mix-in of properties."""

    bone: bpy.props.StringProperty(
        name="Head",
        description="Bone that turns as the head does. Empty: the object itself",
        options={"SKIP_SAVE"},
    )
    neck_bone: bpy.props.StringProperty(
        name="Neck",
        description="Bone that takes a share of the rotation. Empty: none",
        options={"SKIP_SAVE"},
    )
    neck_share: bpy.props.FloatProperty(
        name="Share",
        description="Share of the rotation that the neck takes",
        min=0.0,
        max=1.0,
        default=0.3,
        subtype="FACTOR",
        options={"SKIP_SAVE"},
    )
    left_eye: bpy.props.StringProperty(
        name="Left Eye",
        description="Bone of the left eye. Empty: shape keys turn the eyes",
        options={"SKIP_SAVE"},
    )
    right_eye: bpy.props.StringProperty(
        name="Right Eye",
        description="Bone of the right eye. Empty: shape keys turn the eyes",
        options={"SKIP_SAVE"},
    )
    facing: bpy.props.EnumProperty(
        name="Facing",
        description="Direction in which the character looks, before it is turned as an object",
        items=FACINGS,
        options={"SKIP_SAVE"},
    )


class SYNERGYFACE_PG_transfer(TransferOptions, bpy.types.PropertyGroup):
    """Where the rotation of a head goes"""

    rig: bpy.props.PointerProperty(
        name="Object",
        description="Armature or object that turns as the head does. None: only shape keys move",
        type=bpy.types.Object,
    )


class SYNERGYFACE_PG_key_names(bpy.types.PropertyGroup):
    """Which of a mesh's shape keys are the 52 expressions; what is empty is guessed"""

    __annotations__ = {
        name: bpy.props.StringProperty(
            name=name, description=f"Shape key that is {name}. Empty: found by its name"
        )
        for name in EXPRESSION_NAMES
    }


OPTIONS = tuple(TransferOptions.__annotations__)

CLASSES = (SYNERGYFACE_PG_transfer, SYNERGYFACE_PG_key_names)
