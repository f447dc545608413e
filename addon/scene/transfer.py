"""The motion of a head on somebody's character: its shape keys, and bones or an object.

Expressions go to the shape keys that have their names, on as many meshes as there are, as copies
of the head's own curves. The head's rotation, counted from where its motion begins, goes to a bone
or an object, and to the neck a share of it; eyes that bones turn get the directions of the gaze.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import bpy
import numpy as np
from mathutils import Quaternion
from numpy.typing import NDArray

from ..exchange.expressions import EXPRESSION_NAMES, GAZE_DEGREES
from ..problems import Problem
from . import compat, identity
from .animation import base_of
from .character import Rig, Source, Turns, check_rig, copy_keys, turn, with_keys
from .key_sets import NAMED, key_set
from .mesh_data import mesh_of
from .pose import pose_empty


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
    curves = expression_curves(head)
    turns = None if rig is None else _turns(head, curves)
    found = with_keys(meshes)
    if not curves and turns is None:
        raise Problem(f"The head {head.name!r} is not animated.", "Run Animate from Video on it.")
    if not found and rig is None:
        raise Problem(
            "No selected mesh has shape keys with ARKit's names, such as jawOpen.",
            "Select the character's meshes too, or choose their keys under Key Names.",
        )
    source = Source(head[identity.UUID], head.name)
    if rig is not None and turns is not None:
        check_rig(rig)
        turn(source, rig, turns)
    for mesh, keys in found.items():
        copy_keys(source, mesh, keys, curves)
    return {mesh.name: len(keys) for mesh, keys in found.items()}


def expression_curves(head: bpy.types.Object) -> dict[str, Any]:
    """By expression, the F-curve that moves it."""
    curves = {curve.data_path: curve for curve in compat.present_curves(mesh_of(head).shape_keys)}
    paths = {name: f'key_blocks["{name}"].value' for name in EXPRESSION_NAMES}
    return {name: curves[path] for name, path in paths.items() if path in curves}


def _turns(head: bpy.types.Object, expression: Mapping[str, Any]) -> Turns | None:
    """Return what the head's Empty does, seen from where its motion begins; None if it does not
    turn.
    """
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
    back = base_of(empty.animation_data.action).to_quaternion().inverted()
    rows = ([curves[i].evaluate(float(frame)) for i in range(4)] for frame in frames)
    heads = [back @ Quaternion(row).normalized() for row in rows]
    amounts = np.zeros((len(frames), len(EXPRESSION_NAMES)))
    for name, curve in expression.items():
        amounts[:, EXPRESSION_NAMES.index(name)] = [curve.evaluate(float(f)) for f in frames]
    return Turns(frames, heads, gaze(amounts))


def gaze(amounts: NDArray[np.floating]) -> dict[str, list[Quaternion]]:
    """Of the left and the right eye in the head, where +X is the person's left.

    Parameters
    ----------
    amounts
        (N, 52) in the order of `EXPRESSION_NAMES`.
    """
    eyes = {}
    for side, outwards in (("Left", 1), ("Right", -1)):
        out, inwards, up, down = (
            np.radians(GAZE_DEGREES[way])
            * amounts[:, EXPRESSION_NAMES.index(f"eyeLook{way}{side}")]
            for way in ("Out", "In", "Up", "Down")
        )
        angles = zip(outwards * (out - inwards), down - up, strict=True)
        eyes[side] = [
            Quaternion((0, 0, 1), yaw) @ Quaternion((1, 0, 0), pitch) for yaw, pitch in angles
        ]
    return eyes
