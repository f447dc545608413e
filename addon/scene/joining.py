"""One mesh of a face and its parts, with all keys, for programs and work that want just one."""

from __future__ import annotations

from typing import Any

import bpy

from ..problems import Problem
from . import identity, parts
from .mesh_data import mesh_of
from .regions import VERTEX_COUNT


def join_parts(head: bpy.types.Object) -> None:
    """Make the parts of a head a piece of the face's mesh, behind its own vertices.

    Each is a vertex group then. The face's keys move them as their own did; modifiers, Empty and
    motion of the head stay.

    Raises
    ------
    Problem
        The head has no parts, or is being edited. Nothing has changed then.
    """
    found = list(parts.parts_of(head).values())
    if not found:
        raise Problem(f"The head {head.name!r} has no parts to join.", "It is one mesh already.")
    if any(object.mode != "OBJECT" for object in (head, *found)):
        raise Problem(
            f"The head {head.name!r} is being edited.", "Switch to Object Mode, and try again."
        )
    for part in found:
        _get_ready(part)
    objects = [head, *found]
    with bpy.context.temp_override(
        active_object=head,
        object=head,
        selected_objects=objects,
        selected_editable_objects=objects,
    ):
        # The stubs of bpy know Blender's own operators only where their arguments are plain.
        operators: Any = bpy.ops.object
        operators.join()
    mesh: Any = head.data
    if VERTEX_COUNT in mesh:
        # The landmarks' vertices are where they were: the face's come first.
        mesh[VERTEX_COUNT] = len(mesh.vertices)


def _get_ready(part: bpy.types.Object) -> None:
    """Return a vertex group of all of it, and no drivers: the face's keys will be its own."""
    mesh = mesh_of(part)
    group = part.vertex_groups.new(name=parts.words(part[identity.PART]))
    group.add(list(range(len(mesh.vertices))), 1.0, "REPLACE")
    if mesh.shape_keys is not None:
        mesh.shape_keys.animation_data_clear()
