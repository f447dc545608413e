"""Takes of Live Link Face: onto a head, or onto meshes with ARKit's keys; and out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Quaternion

from ..exchange.expressions import EXPRESSION_NAMES
from ..exchange.live_link import RATE, LiveLinkError, LiveLinkTake, read_live_link, write_live_link
from ..exchange.smoothing import Strengths, conjugate, quaternion_product
from ..files import read_whole, written_together
from ..motion.live_link import quaternions, recording_of, take_of
from ..motion.recording import Style
from ..problems import Problem
from . import compat
from .animation import FaceOfClip, animate, base_of
from .character import Rig, Source, Turns, check_rig, turn, with_keys, write_keys
from .key_sets import NAMED, key_set
from .motion_table import frames_of, is_animated
from .pose import pose_empty
from .transfer import expression_curves, gaze

MOST_BYTES = 1 << 28
REMEDY = "Choose the CSV file of a take of Live Link Face."


def read_take(path: Path) -> LiveLinkTake:
    """Read a file of Live Link Face.

    Raises
    ------
    Problem
        It cannot be read, or is no such file.
    """
    content = read_whole(path, MOST_BYTES, REMEDY)
    try:
        return read_live_link(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Problem(f"{path.name} is not a text file.", REMEDY) from error
    except LiveLinkError as error:
        raise Problem(f"{path.name}: {error}", REMEDY) from error


def play_on_head(
    head: bpy.types.Object, take: LiveLinkTake, path: Path, start: float, rate: float
) -> None:
    """Move a head as a take says, as by a video: its keys can be smoothed and calibrated.

    Parameters
    ----------
    head
        With named keys.
    take, path
        What is in which file.
    start, rate
        Frame of the scene at which it begins, and frames a second of the scene.

    Raises
    ------
    Problem
        The head has other keys, or cannot be animated. Nothing has changed then.
    """
    if key_set(head) != NAMED:
        raise Problem(
            f"The head {head.name!r} does not have the 52 named keys.",
            "Make a new head with Keys at Named.",
        )
    # What a phone has measured is calm already.
    still = Strengths(**dict.fromkeys(vars(Strengths()), 0.0))
    style = replace(Style(), strengths=still, start=start)
    animate(head, FaceOfClip(str(path), 0, path.stem), recording_of(take), style, rate)


def play_on_meshes(
    meshes: Sequence[bpy.types.Object],
    rig: Rig | None,
    take: LiveLinkTake,
    path: Path,
    start: float,
    rate: float,
) -> dict[str, int]:
    """Move a character as a take says; as `play_on_head` and `transfer.transfer`."""
    found = with_keys(meshes)
    if not found:
        raise Problem(
            "No head is selected, and no mesh that has shape keys with ARKit's names.",
            "Select a head, or your character's meshes.",
        )
    source, frames = Source(str(path), path.stem), start + take.seconds * rate
    if rig is not None and take.angles is not None:
        check_rig(rig)
        turned = [Quaternion(row) for row in quaternions(take.angles[:, :3]).tolist()]
        turn(source, rig, Turns(frames, turned, gaze(take.keys)))
    for mesh, keys in found.items():
        write_keys(source, mesh, keys, frames, take.keys)
    return {mesh.name: len(keys) for mesh, keys in found.items()}


def write_take(head: bpy.types.Object, scene: bpy.types.Scene, path: Path) -> None:
    """Write the present animation of a head as a file of Live Link Face, at its 60 frames a second.

    Raises
    ------
    Problem
        The head has other keys or is not animated, or the folder cannot be written to.
    """
    if key_set(head) != NAMED or not is_animated(head):
        raise Problem(
            f"The head {head.name!r} has no animation of the 52 named keys.",
            "Animate a head whose Keys are Named.",
        )
    first, last = frames_of(head)
    rate = scene.render.fps / scene.render.fps_base
    seconds = np.arange(int((last - first) / rate * RATE + 1e-6) + 1) / RATE
    frames = (first + seconds * rate).tolist()
    take = take_of(seconds, _amounts(head, frames), _turned(head, frames))
    with written_together(path.parent) as folder:
        (folder / path.name).write_text(write_live_link(take), "utf-8")


def _amounts(head: Any, frames: list[float]) -> Any:
    blocks, curves = head.data.shape_keys.key_blocks, expression_curves(head)
    return np.stack(
        [
            [curves[name].evaluate(frame) for frame in frames]
            if name in curves
            else np.full(len(frames), blocks[name].value)
            for name in EXPRESSION_NAMES
        ],
        axis=1,
    )


def _turned(head: bpy.types.Object, frames: list[float]) -> Any:
    """(N, 4) quaternions of the Empty, seen from where its motion begins."""
    empty: Any = pose_empty(head)
    curves = {
        c.array_index: c
        for c in compat.present_curves(empty)
        if c.data_path == "rotation_quaternion"
    }
    rows = [
        [curves[i].evaluate(frame) for frame in frames]
        if i in curves
        else np.full(len(frames), empty.rotation_quaternion[i])
        for i in range(4)
    ]
    turned = np.stack(rows, axis=1)
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    action = empty.animation_data.action if empty.animation_data else None
    base = np.array(base_of(action).to_quaternion())
    return quaternion_product(conjugate(base), turned)
