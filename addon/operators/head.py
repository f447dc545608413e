"""Operators on heads that are in the scene."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

import bpy

from ..scene import modifiers, parts
from ..scene.context_parts import scene_of
from ..scene.expression import make_neutral, show_photo_expression
from ..scene.joining import join_parts
from ..scene.landmarks import add_landmarks, landmarks_of, remove_landmarks
from ..scene.pose import apply_photo_pose, is_applied, reset_photo_pose
from ..settings.heads import MAX_SUBDIVISION
from .selection import EachHead


class SYNERGYFACE_OT_apply_photo_pose(EachHead, bpy.types.Operator):
    """Turn the head as it is in the photo, or turn it back"""

    bl_idname = "synergyface.apply_photo_pose"
    bl_label = "Apply Photo Pose"
    bl_options = {"REGISTER", "UNDO"}

    action: bpy.props.EnumProperty(
        name="Action",
        items=(
            ("TOGGLE", "Toggle", "Apply the pose, or reset it if it is applied"),
            ("APPLY", "Apply", "Turn the head as it is in the photo"),
            ("RESET", "Reset", "Turn the head back"),
        ),
        options={"SKIP_SAVE"},
    )

    def treat(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Apply or reset."""
        toggled = "RESET" if is_applied(head) else "APPLY"
        if (toggled if self.action == "TOGGLE" else self.action) == "APPLY":
            apply_photo_pose(head, scene_of(context))
        else:
            reset_photo_pose(head)


class SYNERGYFACE_OT_landmarks(EachHead, bpy.types.Operator):
    """Add Empties at the 68 landmarks, or remove them. They follow expression and pose"""

    bl_idname = "synergyface.landmarks"
    bl_label = "Landmarks"
    bl_options = {"REGISTER", "UNDO"}

    action: bpy.props.EnumProperty(
        name="Action",
        items=(
            ("TOGGLE", "Toggle", "Add the landmarks, or remove them if there are any"),
            ("ADD", "Add", "Add an Empty at each landmark that has none"),
            ("REMOVE", "Remove", "Remove the Empties"),
        ),
        options={"SKIP_SAVE"},
    )

    def treat(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Add or remove."""
        toggled = "REMOVE" if landmarks_of(head) else "ADD"
        if (toggled if self.action == "TOGGLE" else self.action) == "ADD":
            add_landmarks(head)
        else:
            remove_landmarks(head)


class SYNERGYFACE_OT_show_region(EachHead, bpy.types.Operator):
    """Show a part of the head, or hide it"""

    bl_idname = "synergyface.show_region"
    bl_label = "Show Part"
    bl_options = {"REGISTER", "UNDO"}

    region: bpy.props.EnumProperty(
        name="Part",
        description="The part of the head to show or hide",
        items=(
            ("ears", "Ears", "Both ears"),
            ("neck", "Neck", "Everything below the jaw"),
            ("eyes", "Eyes", "Both eyes. Without them, the face shows painted ones"),
            ("teeth", "Teeth", "Teeth, gums and tongue"),
            ("skull", "Skull", "What closes the head behind the face"),
        ),
    )
    action: bpy.props.EnumProperty(
        name="Action",
        items=(
            ("TOGGLE", "Toggle", "Show the part, or hide it if it is shown"),
            ("SHOW", "Show", "Show the part"),
            ("HIDE", "Hide", "Hide the part"),
        ),
        options={"SKIP_SAVE"},
    )

    def treat(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Show or hide."""
        # A mask hides a region of the face; a part is an object of its own.
        place = parts if self.region in parts.GROUPS else modifiers
        toggled = "HIDE" if place.is_shown(head, self.region) else "SHOW"
        action = toggled if self.action == "TOGGLE" else self.action
        place.show(head, self.region, action == "SHOW")


class SYNERGYFACE_OT_subdivide(EachHead, bpy.types.Operator):
    """Subdivide the head in renders. The viewport keeps the plain mesh"""

    bl_idname = "synergyface.subdivide"
    bl_label = "Subdivide in Renders"
    bl_options = {"REGISTER", "UNDO"}

    levels: bpy.props.IntProperty(
        name="Levels",
        description="Each level splits a triangle into four. 0 removes the subdivision",
        min=0,
        max=MAX_SUBDIVISION,
        default=1,
    )

    def treat(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Subdivide."""
        modifiers.subdivide(head, self.levels)


class SYNERGYFACE_OT_set_expression(EachHead, bpy.types.Operator):
    """Set all expression keys to zero, or as in the photo"""

    bl_idname = "synergyface.set_expression"
    bl_label = "Set Expression"
    bl_options = {"REGISTER", "UNDO"}

    expression: bpy.props.EnumProperty(
        name="Expression",
        items=(
            ("NEUTRAL", "Neutral", "All keys at zero"),
            ("PHOTO", "As in Photo", "The expression that the photo shows"),
        ),
        options={"SKIP_SAVE"},
    )

    def treat(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Set the keys."""
        if self.expression == "PHOTO":
            show_photo_expression(head)
        else:
            make_neutral(head)


class SYNERGYFACE_OT_join_parts(EachHead, bpy.types.Operator):
    """Make one mesh with all keys, in place of face and parts. Face from Image parts them again"""

    bl_idname = "synergyface.join_parts"
    bl_label = "Join Parts"
    bl_options = {"REGISTER", "UNDO"}

    def treat(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Join."""
        join_parts(head)


CLASSES = (
    SYNERGYFACE_OT_apply_photo_pose,
    SYNERGYFACE_OT_join_parts,
    SYNERGYFACE_OT_landmarks,
    SYNERGYFACE_OT_set_expression,
    SYNERGYFACE_OT_show_region,
    SYNERGYFACE_OT_subdivide,
)
