"""The open image as the photo."""

from __future__ import annotations

import bpy

from .face import draw_photo
from .sidebar import ImagePanel


class SYNERGYFACE_PT_image(ImagePanel, bpy.types.Panel):
    """Make a head from the image that is open"""

    bl_label = "Face"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        draw_photo(self.layout, context)


CLASSES = (SYNERGYFACE_PT_image,)
