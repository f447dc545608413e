"""The motion of a head on somebody's own character."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from typing import Any

import bpy

from ..problems import Problem
from ..scene import identity
from ..scene.opened import scene_of
from ..scene.selected import chosen_head
from ..scene.transfer import Rig, transfer
from ..settings.transfer import OPTIONS, TransferOptions
from .base import Outcome, ReportingOperator, given_or_kept
from .selection import NeedsHead


class SYNERGYFACE_OT_transfer(TransferOptions, NeedsHead, ReportingOperator, bpy.types.Operator):
    """Give the motion of the selected head to the selected meshes, and to the object below"""

    bl_idname = "synergyface.transfer"
    bl_label = "Transfer to Character"
    bl_options = {"REGISTER", "UNDO"}

    rig: bpy.props.StringProperty(
        name="Object",
        description="Armature or object that turns as the head does. Empty: as in the panel",
        options={"SKIP_SAVE"},
    )

    def run(self, context: bpy.types.Context) -> Outcome:
        """To all meshes that are selected and no heads."""
        head, scene = chosen_head(context), scene_of(context)
        kept: Any = scene.synergyface.transfer  # type: ignore[attr-defined]
        options = given_or_kept(self, kept, OPTIONS)
        thing = self._thing(scene, kept)
        rig = None if thing is None else Rig(thing, **vars(options))
        meshes = [mesh for mesh in selected(context) if identity.UUID not in mesh]
        moved = transfer(head, meshes, rig)
        said = [f"{count} keys of {name!r}" for name, count in moved.items()]
        if thing is not None:
            said.append(f"the rotation of {thing.name!r}")
        self.report({"INFO"}, f"{head.name!r} moves " + ", ".join(said))
        return {"FINISHED"}

    def _thing(self, scene: bpy.types.Scene, kept: Any) -> bpy.types.Object | None:
        if not self.rig:
            return kept.rig
        found = scene.objects.get(self.rig)
        if found is None:
            raise Problem(f"The scene has no object {self.rig!r}.", "Choose another one.")
        return found


def selected(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Selected meshes."""
    layer = context.view_layer
    objects = layer.objects.selected if layer is not None else ()
    return [object for object in objects if object.type == "MESH"]


CLASSES = (SYNERGYFACE_OT_transfer,)
