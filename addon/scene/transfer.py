"""The motion of a head on somebody's character: its shape keys, and bones or an object.

Expressions go to the shape keys that have their names, on as many meshes as there are, as copies
of the head's own curves. The head's rotation, counted from where its motion begins, goes to a bone
or an object, and to the neck a share of it; eyes that bones turn get the directions of the gaze.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Quaternion

from ..exchange.expressions import EXPRESSION_NAMES, GAZE_DEGREES
from ..motion.key_names import matched
from ..problems import Problem
from . import compat, identity
from .animation import BASE
from .curves import Timing, copy_curve, fill, show_present
from .key_sets import HARD_LIMIT, NAMED, key_set
from .pose import pose_empty

# Degrees about Z from Blender's front to where a character looks.
FACINGS = {"FRONT": 0.0, "RIGHT": 90.0, "BACK": 180.0, "LEFT": -90.0}
TRANSFERRED, REST = identity.PREFIX + "transferred", identity.PREFIX + "rest"


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


def transfer(
    head: bpy.types.Object, meshes: Iterable[bpy.types.Object], rig: Rig | None
) -> dict[str, int]:
    """Give a character the present motion of a head; what an earlier transfer gave is replaced.

    Parameters
    ----------
    head
        An animated one with named keys.
    meshes
        The character's; those without any of the keys are passed over.
    rig
        None leaves bones and objects alone.

    Returns
    -------
    By name of the mesh, how many of its keys move.

    Raises
    ------
    Problem
        The head has no such motion, no mesh has such keys, or a bone is missing. Nothing has
        changed then.
    """
    if key_set(head) != NAMED:
        raise Problem(
            f"The head {head.name!r} does not have the 52 named keys.",
            "Make a new head with Keys at Named, and animate that.",
        )
    curves = _expression_curves(head)
    turns = None if rig is None else _turns(head, curves)
    found = {mesh: keys_of(mesh) for mesh in meshes}
    found = {mesh: keys for mesh, keys in found.items() if keys}
    if not curves and turns is None:
        raise Problem(f"The head {head.name!r} is not animated.", "Run Animate from Video on it.")
    if not found and rig is None:
        raise Problem(
            "No selected mesh has shape keys with ARKit's names, such as jawOpen.",
            "Select the character's meshes too, or choose their keys under Key Names.",
        )
    for mesh in found:
        identity.check_editable(mesh, _keys(mesh))
    if rig is not None and turns is not None:
        _turn(head, rig, turns)
    for mesh, keys in found.items():
        _move_keys(head, mesh, keys, curves)
    return {mesh.name: len(keys) for mesh, keys in found.items()}


def _expression_curves(head: bpy.types.Object) -> dict[str, Any]:
    """By expression, the F-curve that moves it."""
    curves = {curve.data_path: curve for curve in compat.present_curves(_keys(head))}
    paths = {name: f'key_blocks["{name}"].value' for name in EXPRESSION_NAMES}
    return {name: curves[path] for name, path in paths.items() if path in curves}


def _move_keys(head: Any, mesh: Any, keys: Mapping[str, str], curves: Mapping[str, Any]) -> None:
    block = _keys(mesh)
    action = _action(head, block, f"{head.name} on {mesh.name}")
    theirs = compat.curves_of(action, block)
    for name, key in keys.items():
        if name not in curves:
            continue
        path = block.key_blocks[key].path_from_id("value")
        former = theirs.find(path)
        if former is not None:
            theirs.remove(former)
        copy_curve(curves[name], theirs, path)
        _make_room(block.key_blocks[key], curves[name])
    _use(action, block)


def _make_room(key: Any, curve: Any) -> None:
    points = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", points)
    most = min(float(points[1::2].max(initial=0.0)), HARD_LIMIT)
    key.slider_max = max(key.slider_max, most)


def _turns(head: bpy.types.Object, expression: Mapping[str, Any]) -> Turns | None:
    """What the head's Empty does, seen from where its motion begins; None if it does not turn."""
    empty: Any = pose_empty(head)
    curves = {
        curve.array_index: curve
        for curve in compat.present_curves(empty)
        if curve.data_path == "rotation_quaternion" and len(curve.keyframe_points)
    }
    if len(curves) < 4:
        return None
    co = np.empty(2 * len(curves[0].keyframe_points), np.float32)
    curves[0].keyframe_points.foreach_get("co", co)
    frames = co[::2]
    action = empty.animation_data.action
    values = action.get(BASE)
    base = Matrix([values[i : i + 4] for i in range(0, 16, 4)]) if values else Matrix()
    back = base.to_quaternion().inverted()
    rows = ([curves[i].evaluate(float(frame)) for i in range(4)] for frame in frames)
    heads = [back @ Quaternion(row).normalized() for row in rows]
    eyes = {side: [_gaze(side, expression, f) for f in frames] for side in ("Left", "Right")}
    return Turns(frames, heads, eyes)


def _gaze(side: str, curves: Mapping[str, Any], frame: float) -> Quaternion:
    """Of an eye in the head, where +X is the person's left."""

    def degrees(way: str) -> float:
        curve = curves.get(f"eyeLook{way}{side}")
        return GAZE_DEGREES[way] * curve.evaluate(float(frame)) if curve is not None else 0.0

    outwards = 1 if side == "Left" else -1
    yaw = np.radians(outwards * (degrees("Out") - degrees("In")))
    pitch = np.radians(degrees("Down") - degrees("Up"))
    return Quaternion((0, 0, 1), yaw) @ Quaternion((1, 0, 0), pitch)


def _turn(head: bpy.types.Object, rig: Rig, turns: Turns) -> None:
    thing: Any = rig.object
    bones = {name: _bone(thing, name) for name in _named(rig)}
    action = _action(head, thing, f"{head.name} on {thing.name}")
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
    up = thing.matrix_world.to_quaternion().inverted() @ Matrix.Identity(3).col[2]
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
    timing = Timing(frames, np.zeros(len(frames), bool), np.zeros(len(frames), bool))
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
    fill(curves, full, np.array(rows), timing)


def _action(head: bpy.types.Object, block: Any, name: str) -> Any:
    """The action by which a head moves a character's data-block; made if need be."""
    mark = f"{head[identity.UUID]} {block.name_full}"
    for action in bpy.data.actions:
        if action.get(TRANSFERRED) == mark and action.library is None:
            return action
    action = compat.new_action(name, block)
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
