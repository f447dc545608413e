"""A head's mesh with its modifiers applied and its shape keys kept.

Blender applies modifiers only to meshes without shape keys, and its exporters drop one or the
other. But hiding parts of a head moves no vertex in another way than its shape keys do: so each
key is evaluated alone, and becomes a key of the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..problems import Problem
from . import compat

KEY_FIELDS = ("slider_min", "slider_max", "value", "mute")


@contextmanager
def modifiers_baked(head: bpy.types.Object) -> Iterator[None]:
    """Give the head such a mesh in place of its own, for a while.

    Raises
    ------
    Problem
        A modifier changes the number of vertices with the expression.
    """
    own: Any = head.data
    shown = [modifier for modifier in head.modifiers if modifier.show_viewport]
    if not shown or own.shape_keys is None:
        yield
        return
    shapes = _evaluated_shapes(head)
    baked, name = _new_mesh(head), own.name
    try:
        own.name = f"{name} own"
        baked.name = name
        head.data = baked
        _copy_keys(head, own.shape_keys, shapes)
        _switch(shown, False)
        yield
    finally:
        _switch(shown, True)
        head.data = own
        bpy.data.meshes.remove(baked)
        own.name = name


@contextmanager
def one_key_at_a_time(head: Any) -> Iterator[None]:
    """Show the active shape key alone, at its full value, for a while."""
    before = head.show_only_shape_key, head.active_shape_key_index
    head.show_only_shape_key = True
    try:
        yield
    finally:
        head.show_only_shape_key, head.active_shape_key_index = before


def _switch(modifiers: list[Any], shown: bool) -> None:
    for modifier in modifiers:
        modifier.show_viewport = shown


def _evaluated_shapes(head: Any) -> list[NDArray[np.float32]]:
    """Return (3 V,) positions with each shape key alone at its full value, the basis first."""
    with one_key_at_a_time(head):
        shapes = [_evaluated(head, index) for index in range(len(head.data.shape_keys.key_blocks))]
    if len({shape.size for shape in shapes}) != 1:
        raise Problem(
            f"A modifier changes the mesh of the head {head.name!r} with its expression.",
            "Turn that modifier off in the viewport, and try again.",
        )
    return shapes


def _evaluated(head: Any, key: int) -> NDArray[np.float32]:
    head.active_shape_key_index = key
    evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    vertices = evaluated.to_mesh().vertices
    positions = np.empty(3 * len(vertices), np.float32)
    vertices.foreach_get("co", positions)
    evaluated.to_mesh_clear()
    return positions


def _new_mesh(head: Any) -> bpy.types.Mesh:
    with one_key_at_a_time(head):
        head.active_shape_key_index = 0
        graph = bpy.context.evaluated_depsgraph_get()
        return bpy.data.meshes.new_from_object(
            head.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph
        )


def _copy_keys(head: Any, keys: Any, shapes: list[NDArray[np.float32]]) -> None:
    for key, shape in zip(keys.key_blocks, shapes, strict=True):
        copy = head.shape_key_add(name=key.name, from_mix=False)
        copy.points.foreach_set("co", shape)
        for field in KEY_FIELDS:
            setattr(copy, field, getattr(key, field))
    action = keys.animation_data.action if keys.animation_data else None
    if action is not None:
        compat.use_action(action, head.data.shape_keys)
