"""Modifiers on a head: parts hidden by their vertex groups, and subdivision in renders.

A modifier of ours is known by its name. Hiding a part makes a mask, showing it removes the mask.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..problems import Problem

SUBDIVISION = "SynergyFace Subdivision"
# Where a region's weight is one half, its rim runs smoothly through the triangles.
RIM = 0.5


def is_shown(head: bpy.types.Object, region: str) -> bool:
    """Tell whether no mask hides a region."""
    return _mask_name(region) not in head.modifiers


def show(head: bpy.types.Object, region: str, shown: bool) -> None:
    """Show or hide the region that a vertex group of that name holds.

    Raises
    ------
    Problem
        The head has lost the group.
    """
    name = _mask_name(region)
    if shown:
        mask = head.modifiers.get(name)
        if mask is not None:
            head.modifiers.remove(mask)
        return
    if name in head.modifiers:
        return
    if region not in head.vertex_groups:
        raise Problem(
            f"The head {head.name!r} has lost the vertex group {region!r}.",
            "Run Face from Image on its photo again to restore it.",
        )
    mask: Any = head.modifiers.new(name, "MASK")
    mask.vertex_group = region
    mask.invert_vertex_group = True
    mask.threshold = RIM
    mask.use_smooth = True
    # Hidden parts need not be subdivided first.
    head.modifiers.move(len(head.modifiers) - 1, 0)


def subdivision(head: bpy.types.Object) -> int:
    """Return levels of subdivision in renders."""
    modifier: Any = head.modifiers.get(SUBDIVISION)
    return modifier.render_levels if modifier is not None else 0


def subdivide(head: bpy.types.Object, levels: int) -> None:
    """Subdivide the head in renders; 0 removes the modifier."""
    modifier: Any = head.modifiers.get(SUBDIVISION)
    if not levels:
        if modifier is not None:
            head.modifiers.remove(modifier)
        return
    if modifier is None:
        modifier = head.modifiers.new(SUBDIVISION, "SUBSURF")
        modifier.levels = 0
    modifier.render_levels = levels


def _mask_name(region: str) -> str:
    return f"SynergyFace without {region}"
