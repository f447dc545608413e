"""Another photo for heads that are in the scene, or the place where theirs lies now."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from collections.abc import Callable
from typing import Any

import bpy

from ..connection.reconstruction import Reconstruction, reconstruct
from ..exchange.orders import PhotoOrder
from ..head import Head
from ..preferences import backend_location
from ..problems import Problem
from ..runtime import runtime
from ..scene import identity
from ..scene.build import replace_faces
from ..scene.opened import scene_of
from ..scene.photo import photo_of_file
from ..settings.heads import TEXTURE_MODES
from ..tasks import Reporter
from .base import TaskOperator, WhenIdle, given_or_kept
from .choosing import FileChooser
from .photo import PHOTO_SUFFIXES
from .selection import NeedsHead
from .texture import size_of_texture

# The stubs of bpy know Blender's own operators only.
blender_operators: Any = bpy.ops


class NeedsHeadAndIdle(NeedsHead):
    """Offered while a head is chosen and nothing is at work."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Called by Blender."""
        return WhenIdle.poll(context) and super().poll(context)


class SYNERGYFACE_OT_replace_photo(NeedsHeadAndIdle, TaskOperator, bpy.types.Operator):
    """Make the head again from another photo, or from its own photo if that was moved"""

    bl_idname = "synergyface.replace_photo"
    bl_label = "Replace Photo"
    bl_options = {"UNDO"}
    job = "replacement"

    filepath: bpy.props.StringProperty(name="Photo", subtype="FILE_PATH", options={"SKIP_SAVE"})
    texture_mode: bpy.props.EnumProperty(
        name="Fill",
        description="How to fill the parts of the texture that the photo does not show",
        items=TEXTURE_MODES,
        options={"SKIP_SAVE"},
    )

    def work(self, context: bpy.types.Context) -> Callable[[Reporter], Any]:
        """Collect photo, heads and connection."""
        if not self.filepath:
            raise Problem("No photo is given.", "Set filepath to a photo.")
        self._photo = photo = photo_of_file(self.filepath)
        self._heads = heads = Head.chosen(context)
        for head in heads:
            identity.check_editable(head.object, head.mesh)
            if head.fit is None:
                raise Problem(
                    f"The head {head.name!r} was not made from a photo.",
                    "Select a head that Face from Image has made.",
                )
        scene: Any = scene_of(context)
        self._fill = fill = given_or_kept(self, scene.synergyface, ["texture_mode"]).texture_mode
        size: Any = max(map(size_of_texture, heads))
        connection, location = runtime().connection, backend_location(context)
        order = PhotoOrder("all", size, fill)
        return lambda report: reconstruct(connection, location, photo.read, order, report)

    def finish(self, context: bpy.types.Context, value: Reconstruction) -> None:
        """Write into the heads, all at once."""
        heads = [head.object for head in self._heads if head.in_use]
        if not heads:
            raise Problem("The head was removed.")
        replace_faces(heads, self._photo.source, value.model, value.result)
        for head in heads:
            head[identity.TEXTURE_MODE] = self._fill
        count = f"{len(heads)} head{'s' if len(heads) != 1 else ''}"
        self.report({"INFO"}, f"{count} updated from {self._photo.name}")


class SYNERGYFACE_OT_choose_replacement(NeedsHeadAndIdle, FileChooser, bpy.types.Operator):
    """Choose another photo for the head, or its own photo if that was moved"""

    bl_idname = "synergyface.choose_replacement"
    bl_label = "Replace Photo"
    bl_options = {"INTERNAL"}

    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{suffix}" for suffix in PHOTO_SUFFIXES), options={"HIDDEN", "SKIP_SAVE"}
    )

    def hand_over(self) -> None:
        """To Replace Photo."""
        blender_operators.synergyface.replace_photo("INVOKE_DEFAULT", filepath=self.filepath)


CLASSES = (SYNERGYFACE_OT_replace_photo, SYNERGYFACE_OT_choose_replacement)
