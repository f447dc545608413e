"""Somebody's own character: its shape keys that are expressions, and what turns on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Quaternion, Vector
from numpy.typing import NDArray

from ..exchange.expressions import EXPRESSION_NAMES
from ..motion.key_names import matched
from ..problems import Problem
from . import compat, identity
from .curves import Timing, copy_curve, fill, show_present
from .key_sets import HARD_LIMIT

# Degrees about Z from Blender's front to where a character looks.
FACINGS = {"FRONT": 0.0, "RIGHT": 90.0, "BACK": 180.0, "LEFT": -90.0}
TRANSFERRED, REST = identity.PREFIX + "transferred", identity.PREFIX + "rest"


@dataclass(frozen=True)
class Source:
    """Where a motion comes from: its identity, and a name for actions."""

    identity: str
    name: str


@dataclass(frozen=True)
class Rig:
    """What turns on a character.

    Attributes
    ----------
    object
        Armature, or an object that turns itself.
    bone
        Of the head; empty if the object is no armature, or is to turn as a whole.
    neck_bone, neck_share
        What takes a share of the rotation, if it is not empty.
    left_eye, right_eye
        Bones of the eyes, or empty.
    facing
        Of `FACINGS`.
    """

    object: bpy.types.Object
    bone: str = ""
    neck_bone: str = ""
    neck_share: float = 0.3
    left_eye: str = ""
    right_eye: str = ""
    facing: str = "FRONT"


@dataclass(frozen=True)
class Turns:
    """Rotations at N frames, in a space whose front is -Y and up Z."""

    frames: Any
    head: list[Quaternion]
    eyes: dict[str, list[Quaternion]]


def keys_of(mesh: bpy.types.Object) -> dict[str, str]:
    """By expression, the shape keys of a mesh that get its motion."""
    keys: Any = getattr(mesh.data, "shape_keys", None)
    if keys is None:
        return {}
    chosen: Any = getattr(keys, "synergyface", None)
    by_hand = {name: getattr(chosen, name) for name in EXPRESSION_NAMES} if chosen else {}
    return matched(keys.key_blocks.keys()[1:], by_hand)


def with_keys(meshes: Iterable[bpy.types.Object]) -> dict[bpy.types.Object, dict[str, str]]:
    """Those meshes that have expressions, and which of their keys these are.

    Raises
    ------
    Problem
        One of them is linked from another file.
    """
    found = {mesh: keys_of(mesh) for mesh in meshes}
    for mesh, keys in found.items():
        if keys:
            identity.check_editable(mesh, _keys(mesh))
    return {mesh: keys for mesh, keys in found.items() if keys}


def copy_keys(
    source: Source, mesh: Any, keys: Mapping[str, str], curves: Mapping[str, Any]
) -> None:
    """Have keys of a mesh, given by expression, move as F-curves do."""
    block = _keys(mesh)
    action = _action(source, block, mesh.name)
    theirs = compat.curves_of(action, block)
    for name, key in keys.items():
        if name in curves:
            path = block.key_blocks[key].path_from_id("value")
            former = theirs.find(path)
            if former is not None:
                theirs.remove(former)
            copy_curve(curves[name], theirs, path)
            points = np.empty(2 * len(curves[name].keyframe_points), np.float32)
            curves[name].keyframe_points.foreach_get("co", points)
            _make_room(block.key_blocks[key], points[1::2])
    _use(action, block)


def write_keys(
    source: Source,
    mesh: Any,
    keys: Mapping[str, str],
    frames: NDArray[np.floating],
    amounts: NDArray[np.floating],
) -> None:
    """Have keys of a mesh, given by expression, take (N, 52) amounts at N frames."""
    block = _keys(mesh)
    action = _action(source, block, mesh.name)
    theirs = compat.curves_of(action, block)
    for name, key in keys.items():
        values = amounts[:, EXPRESSION_NAMES.index(name)]
        fill(theirs, block.key_blocks[key].path_from_id("value"), values[:, None], _plain(frames))
        _make_room(block.key_blocks[key], values)
    _use(action, block)


def _make_room(key: Any, values: NDArray[np.floating]) -> None:
    key.slider_max = max(key.slider_max, min(float(values.max(initial=0.0)), HARD_LIMIT))


def _plain(frames: NDArray[np.floating]) -> Timing:
    nothing = np.zeros(len(frames), bool)
    return Timing(frames, nothing, nothing)


def check_rig(rig: Rig) -> None:
    """Refuse one that lacks a bone, or is linked from another file: `Problem`."""
    identity.check_editable(rig.object)
    for name in _named(rig):
        _bone(rig.object, name)


def turn(source: Source, rig: Rig, turns: Turns) -> None:
    """Turn a character's bones or object, each in the rotation mode that it has."""
    thing: Any = rig.object
    bones = {name: _bone(thing, name) for name in _named(rig)}
    action = _action(source, thing, thing.name)
    into = _into_space_of(thing, rig.facing)

    def there(rotation: Quaternion) -> Quaternion:
        return into @ rotation @ into.inverted()

    if not rig.bone:
        rest = _rest_of_object(thing)
        _write(action, thing, thing, [rest @ there(turn) for turn in turns.head], turns.frames)
    else:
        neck, bone = bones.get(rig.neck_bone), bones[rig.bone]
        share = rig.neck_share if neck is not None and neck in bone.parent_recursive else 0.0
        moves = [(bone, [_part(turn, 1 - share) for turn in turns.head])]
        if neck is not None:
            moves.append((neck, [_part(turn, rig.neck_share) for turn in turns.head]))
        for side, name in (("Left", rig.left_eye), ("Right", rig.right_eye)):
            if name:
                moves.append((bones[name], turns.eyes[side]))
        for moved, rotations in moves:
            rest = moved.bone.matrix_local.to_quaternion()
            own = [rest.inverted() @ there(rotation) @ rest for rotation in rotations]
            _write(action, thing, moved, own, turns.frames)
    _use(action, thing)


def _named(rig: Rig) -> list[str]:
    return [name for name in (rig.bone, rig.neck_bone, rig.left_eye, rig.right_eye) if name]


def _bone(thing: Any, name: str) -> Any:
    bone = thing.pose.bones.get(name) if thing.pose else None
    if bone is None:
        raise Problem(f"{thing.name!r} has no bone {name!r}.", "Choose one of its bones.")
    return bone


def _part(rotation: Quaternion, share: float) -> Quaternion:
    return Quaternion().slerp(rotation, share)


def _into_space_of(thing: bpy.types.Object, facing: str) -> Quaternion:
    """From Blender's axes to a character's own, which may have Y up, as files of others have."""
    about_z = Quaternion((0, 0, 1), np.radians(FACINGS[facing]))
    up = thing.matrix_world.to_quaternion().inverted() @ Vector((0, 0, 1))
    if up.y > max(abs(up.x), abs(up.z)):
        return Quaternion((1, 0, 0), np.radians(-90)) @ about_z
    return about_z


def _rest_of_object(thing: Any) -> Quaternion:
    """How an object stood before any motion was transferred to it."""
    if REST not in thing:
        thing[REST] = list(thing.matrix_basis.to_quaternion())
    return Quaternion(thing[REST])


def _write(action: Any, thing: Any, moved: Any, rotations: list[Quaternion], frames: Any) -> None:
    """Keys of a bone's or an object's rotation, in the mode that it has."""
    mode, curves = moved.rotation_mode, compat.curves_of(action, thing)
    rows: list[tuple[float, ...]] = []
    last: Any = None
    for rotation in rotations:
        value: Any = rotation.copy()
        if mode == "AXIS_ANGLE":
            axis, angle = rotation.to_axis_angle()
            rows.append((angle, *axis))
            continue
        if mode != "QUATERNION":
            value = rotation.to_euler(mode, last) if last else rotation.to_euler(mode)
        elif last is not None and value.dot(last) < 0:
            value.negate()
        rows.append(tuple(value))
        last = value
    kind = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    path = kind.get(mode, "rotation_euler")
    full = path if moved is thing else moved.path_from_id(path)
    fill(curves, full, np.array(rows), _plain(frames))


def _action(source: Source, block: Any, name: str) -> Any:
    """Return the action by which a source moves a character's data-block; made if need be."""
    mark = f"{source.identity} {block.name_full}"
    for action in bpy.data.actions:
        if action.get(TRANSFERRED) == mark and action.library is None:
            return action
    action = compat.new_action(f"{source.name} on {name}", block)
    action[TRANSFERRED] = mark
    return action


def _use(action: Any, block: Any) -> None:
    """Move a data-block by an action; the one that does so far stays in the file."""
    animation = block.animation_data
    if animation is not None and animation.action not in (None, action):
        animation.action.use_fake_user = True
    compat.use_action(action, block)
    show_present(block)


def _keys(object: Any) -> Any:
    return object.data.shape_keys
