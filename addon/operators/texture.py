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
from ..preferences import backend_location
from ..problems import Problem
from ..runtime import runtime
from ..scene import identity, material
from ..scene.opened import scene_of
from ..scene.photo import photo_of_source
from ..scene.selected import chosen_heads
from ..settings.heads import TEXTURE_MODES, TEXTURE_SIZES
from ..tasks import Reporter
from .base import TaskOperator
from .selection import NeedsHead

SIZES = tuple(int(name) for name, *_ in TEXTURE_SIZES)


class SYNERGYFACE_OT_change_texture(NeedsHead, TaskOperator, bpy.types.Operator):
    """Make the head's texture from its photo again, in another way; shape and motion stay"""

    bl_idname = "synergyface.change_texture"
    bl_label = "Change Texture"
    bl_options = {"UNDO"}

    mode: bpy.props.EnumProperty(
        name="Fill",
        description="What the texture shows where the photo does not show the face",
        items=TEXTURE_MODES,
        options={"SKIP_SAVE"},
    )
    texture_size: bpy.props.EnumProperty(
        name="Texture",
        description="Side of the square texture",
        items=(("KEEP", "As It Is", "The size that the head's texture has"), *TEXTURE_SIZES),
        options={"SKIP_SAVE"},
    )

    def work(self, context: bpy.types.Context) -> Callable[[Reporter], Any]:
        """Collect photos, parameters and connection."""
        heads = chosen_heads(context)
        self._heads = [head.session_uid for head in heads]
        known = [self._known(head, scene_of(context)) for head in heads]
        connection, location = runtime().connection, backend_location(context)
        return lambda report: retexture(connection, location, known, report)

    def finish(self, context: bpy.types.Context, value: list[NDArray[np.uint8]]) -> None:
        """Put the textures on, all at once."""
        heads = [identity.head_in_use(uid) for uid in self._heads]
        kept = [(head, png) for head, png in zip(heads, value, strict=True) if head is not None]
        if not kept:
            raise Problem("The head was removed while its texture was made.")
        for head, png in kept:
            material.put_texture(head, head.name, png)
        removed = f"; {len(heads) - len(kept)} removed meanwhile" if len(kept) < len(heads) else ""
        count = f"{len(kept)} texture{'s' if len(kept) != 1 else ''}"
        self.report({"INFO"}, f"{count} made{removed}")

    def _known(self, head: bpy.types.Object, scene: bpy.types.Scene) -> KnownHead:
        identity.check_editable(head, head.data)
        if identity.PARAMETERS not in head or identity.SOURCE not in head:
            raise Problem(
                f"The head {head.name!r} does not come from a photo.",
                "Make it with Face from Image, or select another head.",
            )
        photo = photo_of_source(str(head[identity.SOURCE]), scene)
        size: Any = self._size(head)
        x0, y0, x1, y1 = (float(v) for v in head[identity.ROI_BOX])
        parameters = [float(v) for v in head[identity.PARAMETERS]]
        return KnownHead(photo.read, parameters, (x0, y0, x1, y1), size, self.mode)

    def _size(self, head: bpy.types.Object) -> int:
        if self.texture_size != "KEEP":
            return int(self.texture_size)
        image: Any = identity.owned(bpy.data.images, head[identity.UUID])
        return int(image.size[0]) if image is not None and image.size[0] in SIZES else 1024


CLASSES = (SYNERGYFACE_OT_change_texture,)
