"""Operators on the texture of heads that are in the scene."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..connection.retexturing import KnownHead, retexture
from ..head import Head
from ..preferences import backend_location
from ..problems import Problem
from ..runtime import runtime
from ..scene import identity
from ..scene.context_parts import scene_of
from ..scene.parts import group_of
from ..scene.photo import photo_of_source
from ..settings.heads import TEXTURE_MODES, TEXTURE_SIZES
from ..tasks import Reporter
from .base import TaskOperator
from .selection import NeedsHead

SIZES = tuple(int(name) for name, *_ in TEXTURE_SIZES)


class SYNERGYFACE_OT_change_texture(NeedsHead, TaskOperator, bpy.types.Operator):
    """Make the head's texture again from its photo. Shape and motion stay as they are"""

    bl_idname = "synergyface.change_texture"
    bl_label = "Change Texture"
    bl_options = {"UNDO"}
    job = "texture"

    mode: bpy.props.EnumProperty(
        name="Fill",
        description="How to fill the parts of the texture that the photo does not show",
        items=TEXTURE_MODES,
        options={"SKIP_SAVE"},
    )
    texture_size: bpy.props.EnumProperty(
        name="Texture",
        description="Width and height of the texture",
        items=(("KEEP", "Keep", "The size of the present texture"), *TEXTURE_SIZES),
        options={"SKIP_SAVE"},
    )

    def work(self, context: bpy.types.Context) -> Callable[[Reporter], Any]:
        """Collect photos, parameters and connection."""
        self._heads = Head.chosen(context)
        known = [self._known(head, scene_of(context)) for head in self._heads]
        connection, location = runtime().connection, backend_location(context)
        return lambda report: retexture(connection, location, known, report)

    def finish(self, context: bpy.types.Context, value: list[NDArray[np.uint8]]) -> None:
        """Put the textures on, all at once."""
        kept = [(head, png) for head, png in zip(self._heads, value, strict=True) if head.in_use]
        if not kept:
            raise Problem("The head was removed before its texture was ready.")
        for head, png in kept:
            head.put_texture(png)
            head.object[identity.TEXTURE_MODE] = self.mode
        gone = len(self._heads) - len(kept)
        removed = f", {gone} removed before" if gone else ""
        count = f"{len(kept)} texture{'s' if len(kept) != 1 else ''}"
        self.report({"INFO"}, f"{count} made{removed}")

    def _known(self, head: Head, scene: bpy.types.Scene) -> KnownHead:
        identity.check_editable(head.object, head.mesh)
        fit = head.fit
        if fit is None:
            raise Problem(
                f"The head {head.name!r} was not made from a photo.",
                "Select a head that Face from Image has made.",
            )
        photo, size = photo_of_source(head.source, scene), self.texture_size
        side: Any = size_of_texture(head) if size == "KEEP" else int(size)
        return KnownHead(
            photo.read,
            fit.parameters.tolist(),
            fit.roi_box,
            side,
            self.mode,
            bool(group_of(head.object, "eyes")),
        )


def size_of_texture(head: Head) -> int:
    """Return side of the texture that a head has; the usual one if it has none of ours."""
    image = head.texture
    size: Any = (0, 0) if image is None else image.size
    return size[0] if size[0] in SIZES else 1024


CLASSES = (SYNERGYFACE_OT_change_texture,)
