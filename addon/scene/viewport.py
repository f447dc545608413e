"""What a 3D viewport shows: heads brought into its middle, and their textures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .enclosures import corners

# As View > Frame Selected has them: room around what is framed, and the width of the sensor that
# the viewport's focal length is for, twice of which it sees.
MARGIN = 1.4
SENSOR_MILLIMETRES = 36.0


@dataclass(frozen=True)
class Outlook:
    """From where a viewport looks at what; two are equal if nobody has turned it meanwhile."""

    perspective: str
    place: tuple[float, ...]
    direction: tuple[float, ...]
    distance: float


def open_viewport(context: bpy.types.Context) -> Any | None:
    """Return the 3D viewport that somebody is working in, else the largest one of the screen: an
    area.
    """
    if context.area is not None and context.area.type == "VIEW_3D":
        return context.area
    areas: Any = context.screen.areas if context.screen is not None else ()
    viewports = [area for area in areas if area.type == "VIEW_3D"]
    return max(viewports, key=lambda area: area.width * area.height, default=None)


def outlook(viewport: Any) -> Outlook:
    """Of a viewport as it is now."""
    view = viewport.spaces.active.region_3d
    return Outlook(
        view.view_perspective,
        tuple(view.view_location),
        tuple(view.view_rotation),
        view.view_distance,
    )


def frame(viewport: Any, heads: Sequence[bpy.types.Object]) -> None:
    """Let a viewport look at heads from where it looks, as *Frame Selected* does.

    One that looks through a camera is left alone.
    """
    space = viewport.spaces.active
    view = space.region_3d
    if view.view_perspective == "CAMERA":
        return
    around = np.concatenate([corners(head) for head in heads])
    low, high = around.min(axis=0), around.max(axis=0)
    view.view_location = ((low + high) / 2).tolist()
    [window] = [region for region in viewport.regions if region.type == "WINDOW"][:1]
    short, long = sorted((max(window.width, 1), max(window.height, 1)))
    tangent = SENSOR_MILLIMETRES / space.lens * short / long
    view.view_distance = MARGIN * (high - low).max() / 2 / tangent


def show_textures(viewport: Any) -> bool:
    """Let a viewport in Solid shading, where it has Blender's usual colours, show textures.

    Returns
    -------
    Whether that was to be changed.
    """
    shading = viewport.spaces.active.shading
    plain = shading.type == "SOLID" and shading.color_type == "MATERIAL"
    if plain:
        shading.color_type = "TEXTURE"
    return plain


def eye(viewport: Any) -> NDArray[np.floating]:
    """Return (3,) from where a viewport that looks through no camera looks: metres, in the
    world.
    """
    view = viewport.spaces.active.region_3d
    back = np.array(view.view_rotation.to_matrix())[:, 2]
    return np.array(view.view_location) + view.view_distance * back
