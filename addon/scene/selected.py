"""Which heads an operator or a panel is about: the selected ones; if none is, the active one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import bpy

from ..problems import Problem
from . import identity


def chosen_heads(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Heads that are selected; if none is, the active one.

    A head counts as selected if its Empty is, or one of its parts or landmarks. The last one is
    the head that panels show and that is meant where only one can be: the active one, if it is
    selected.
    """
    layer = context.view_layer
    if layer is None:
        return []
    active = layer.objects.active
    selected = [object for object in layer.objects.selected if object != active]
    if active is not None and active.select_get(view_layer=layer):
        selected.append(active)
    return heads_among(selected) or heads_among([active] if active else [])


def chosen_head(context: bpy.types.Context) -> bpy.types.Object:
    """Return the one head to work on: the last of `chosen_heads`.

    Raises
    ------
    Problem
        None is chosen.
    """
    heads = chosen_heads(context)
    if not heads:
        raise Problem("No head is selected.", "Select a head that SynergyFace made, or its Empty.")
    return heads[-1]


def chosen_words(heads: Sequence[bpy.types.Object]) -> str:
    """Whose head a panel shows, and how many others its buttons change with it."""
    others = len(heads) - 1
    return heads[-1].name + (f" and {others} more" if others else "")


def heads_among(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """Heads that the objects are or belong to."""
    # By number: one that is linked may have the name of another.
    heads: dict[int, bpy.types.Object] = {}
    for object in objects:
        beside = object.parent.children if identity.PART in object and object.parent else ()
        for candidate in (object, *object.children, object.parent, *beside):
            if candidate is not None and identity.is_head(candidate) and _own(object, candidate):
                heads.pop(candidate.session_uid, None)
                heads[candidate.session_uid] = candidate
    return list(heads.values())


def _own(object: bpy.types.Object, head: bpy.types.Object) -> bool:
    """Whether an object is a part of a head: what a user hangs from a head is none."""
    return object.get(identity.UUID) == head[identity.UUID]
