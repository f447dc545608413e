"""A head's motion as a table, for other programs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..files import written_together
from ..problems import Problem
from . import compat
from .key_sets import expression_keys, key_set, key_units
from .pose import pose_empty

POSE_COLUMNS = (
    "frame", "seconds",
    "location_x", "location_y", "location_z",
    "rotation_w", "rotation_x", "rotation_y", "rotation_z",
)  # fmt: skip


@dataclass(frozen=True)
class MotionTable:
    """One row for each of N frames of the scene.

    Attributes
    ----------
    frames
        (N,) int64 frames of the scene.
    seconds
        (N,) since the first of them.
    locations
        (N, 3) of the pose Empty, in its parent's space.
    quaternions
        (N, 4) w, x, y, z of the pose Empty.
    names
        (K,) of the head's expression keys.
    expression
        (N, K) standard deviations, or amounts from 0 to 1 of named keys.
    """

    frames: NDArray[np.int64]
    seconds: NDArray[np.float64]
    locations: NDArray[np.float64]
    quaternions: NDArray[np.float64]
    names: tuple[str, ...]
    expression: NDArray[np.float64]


def motion_table(head: bpy.types.Object, scene: bpy.types.Scene) -> MotionTable:
    """Return what the present actions of a head and its Empty say, from their first key to their
    last.

    Raises
    ------
    Problem
        The head is not animated, has lost its Empty or a shape key, or its Empty turns in another
        way than by a quaternion.
    """
    empty: Any = pose_empty(head)
    mesh: Any = head.data
    keys = expression_keys(head)
    pose, shapes = _curves(empty), _curves(mesh.shape_keys)
    if not pose and not shapes:
        raise Problem(
            f"The head {head.name!r} is not animated.",
            "Animate it, for example with Animate from Video, and try again.",
        )
    if empty.rotation_mode != "QUATERNION":
        raise Problem(
            f"The rotation mode of the Empty {empty.name!r} is not Quaternion.",
            "Set it to Quaternion (WXYZ), and try again.",
        )
    first, last = frames_of(head)
    frames = np.arange(math.ceil(first), math.floor(last) + 1)
    values = [_values(shapes, key.path_from_id("value"), 0, key.value, frames) for key in keys]
    return MotionTable(
        frames,
        (frames - frames[:1]) * scene.render.fps_base / scene.render.fps,
        _columns(pose, "location", empty.location, frames),
        _columns(pose, "rotation_quaternion", empty.rotation_quaternion, frames),
        key_set(head).names,
        np.stack(values, axis=1) * key_units(head),
    )


def is_animated(head: bpy.types.Object) -> bool:
    """Whether present actions move a head's Empty or its shape keys."""
    return bool(_all_curves(head))


def frames_of(head: bpy.types.Object) -> tuple[float, float]:
    """First and last frame with a key of an animated head."""
    ranges = np.array([tuple(curve.range()) for curve in _all_curves(head)])
    return float(ranges.min()), float(ranges.max())


def _all_curves(head: bpy.types.Object) -> list[Any]:
    mesh: Any = head.data
    blocks = filter(None, (head.parent, mesh.shape_keys))
    return [curve for block in blocks for curve in _curves(block).values()]


def write_motion(table: MotionTable, path: Path) -> None:
    """Write a table as CSV.

    Raises
    ------
    Problem
        The folder cannot be written to.
    """
    numbers = (table.seconds, table.locations, table.quaternions, table.expression)
    rows = np.column_stack([table.frames, *numbers])
    formats = ["%d", *["%.9g"] * (rows.shape[1] - 1)]
    with written_together(path.parent) as folder:
        header = ",".join((*POSE_COLUMNS, *table.names))
        np.savetxt(folder / path.name, rows, formats, ",", header=header, comments="")


def _curves(block: Any) -> dict[tuple[str, int], Any]:
    """F-curves with keys that move a data-block, by path and index."""
    curves = compat.present_curves(block)
    return {(c.data_path, c.array_index): c for c in curves if len(c.keyframe_points)}


def _columns(curves: Any, path: str, present: Any, frames: Any) -> NDArray[np.float64]:
    values = [_values(curves, path, index, value, frames) for index, value in enumerate(present)]
    return np.stack(values, axis=1)


def _values(curves: Any, path: str, index: int, present: float, frames: Any) -> Any:
    """(N,) values of a property, which is constant if nothing moves it."""
    curve = curves.get((path, index))
    if curve is None:
        return np.full(len(frames), present)
    return np.array([curve.evaluate(frame) for frame in frames.tolist()])
