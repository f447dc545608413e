"""A head's mesh with its modifiers applied and its shape keys kept.

Blender applies modifiers only to meshes without shape keys, and its exporters drop one or the
other. But hiding parts of a head moves no vertex in another way than its shape keys do: so each
key is evaluated alone, and becomes a key of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..problems import Problem
from . import compat
from .curves import copy_curve
from .parts import drive, is_driven

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
def one_key_at_a_time(*objects: Any) -> Iterator[Callable[[str], None]]:
    """For a while, objects show one shape key alone, at its full value: at first the basis.

    What is yielded chooses it by its name. Objects that lack it show their basis.
    """
    keyed = [object for object in objects if object.data.shape_keys is not None]
    before = [(object.show_only_shape_key, object.active_shape_key_index) for object in keyed]

    def choose(name: str) -> None:
        for object in keyed:
            object.active_shape_key_index = max(object.data.shape_keys.key_blocks.find(name), 0)

    try:
        choose("")
        for object in keyed:
            object.show_only_shape_key = True
        yield choose
    finally:
        for object, (alone, index) in zip(keyed, before, strict=True):
            object.show_only_shape_key, object.active_shape_key_index = alone, index


@contextmanager
def drivers_baked(head: Any, parts: Iterable[Any]) -> Iterator[None]:
    """For a while, the keys of parts have the animation of the face's, which drives them else."""
    keys, actions, driven = head.data.shape_keys, [], []
    curves = {curve.data_path: curve for curve in compat.present_curves(keys)} if keys else {}
    try:
        for part in parts:
            blocks = part.data.shape_keys.key_blocks if part.data.shape_keys else ()
            moved = [key for key in blocks if key.path_from_id("value") in curves]
            driven += [(part, key.name) for key in moved if is_driven(key)]
            if moved:
                actions.append(_copied(part, [curves[key.path_from_id("value")] for key in moved]))
        yield
    finally:
        for action in actions:
            bpy.data.actions.remove(action)
        for part, name in driven:
            drive(part.data.shape_keys.key_blocks[name], head)


def _copied(part: Any, curves: list[Any]) -> bpy.types.Action:
    """Return an action that moves a part as F-curves of the face's keys do, in place of drivers."""
    keys = part.data.shape_keys
    action = compat.new_action(f"{part.name} expression", keys)
    for curve in curves:
        keys.driver_remove(curve.data_path)
        copy_curve(curve, compat.curves_of(action, keys))
    compat.use_action(action, keys)
    return action


def _switch(modifiers: list[Any], shown: bool) -> None:
    for modifier in modifiers:
        modifier.show_viewport = shown


def _evaluated_shapes(head: Any) -> list[NDArray[np.float32]]:
    """(3 V,) positions with each shape key alone at its full value, the basis first."""
    with one_key_at_a_time(head) as choose:
        shapes = [_evaluated(head, choose, key.name) for key in head.data.shape_keys.key_blocks]
    if len({shape.size for shape in shapes}) != 1:
        raise Problem(
            f"A modifier changes the mesh of the head {head.name!r} with its expression.",
            "Turn that modifier off in the viewport, and try again.",
        )
    return shapes


def _evaluated(head: Any, choose: Callable[[str], None], key: str) -> NDArray[np.float32]:
    choose(key)
    evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    vertices = evaluated.to_mesh().vertices
    positions = np.empty(3 * len(vertices), np.float32)
    vertices.foreach_get("co", positions)
    evaluated.to_mesh_clear()
    return positions


def _new_mesh(head: Any) -> bpy.types.Mesh:
    with one_key_at_a_time(head):
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
