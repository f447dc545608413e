"""The motion of a head on somebody's own character."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from collections.abc import Mapping
from typing import Any

import bpy

from ..problems import Problem
from ..scene import identity
from ..scene.character import Rig
from ..scene.context_parts import scene_of
from ..scene.selected import chosen_head
from ..scene.transfer import transfer
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
        moved = transfer(head, strangers(context), rig)
        self.report({"INFO"}, f"{head.name!r} moves {moved_words(moved, rig)}")
        return {"FINISHED"}

    def _thing(self, scene: bpy.types.Scene, kept: Any) -> bpy.types.Object | None:
        if not self.rig:
            return kept.rig
        found = scene.objects.get(self.rig)
        if found is None:
            raise Problem(f"The scene has no object {self.rig!r}.", "Choose another one.")
        return found


def strangers(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Return selected meshes that belong to no head."""
    layer = context.view_layer
    objects = layer.objects.selected if layer is not None else ()
    return [o for o in objects if o.type == "MESH" and identity.UUID not in o]


def moved_words(moved: Mapping[str, int], rig: Rig | None) -> str:
    """Return what of a character moves now, for the status bar."""
    said = [f"{count} keys of {name!r}" for name, count in moved.items()]
    return ", ".join(said + ([] if rig is None else [f"the rotation of {rig.object.name!r}"]))


CLASSES = (SYNERGYFACE_OT_transfer,)
