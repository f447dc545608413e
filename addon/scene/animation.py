"""The motion of a head: F-curves of its Empty's pose and of its shape keys, written in bulk.

One action holds what one clip says about one head. Blender 4.2 needs a second one for the shape
keys. The action carries the raw recording and where the motion begins, so that its keys can be
made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..exchange.smoothing import like_signs, quaternion_product
from ..motion.keyframes import Keyframes, keyframes
from ..motion.recording import Recording, Style, pack, pack_style, unpack, unpack_style
from ..problems import NotNow, Problem
from . import compat, identity
from .curves import Timing, fill, scale_values, show_present
from .key_sets import expression_keys, key_set, key_units, make_room
from .pose import pose_empty, reset_photo_pose, transform_without_photo_pose

RECORDING = identity.PREFIX + "recording"
STYLE = identity.PREFIX + "style"
BASE = identity.PREFIX + "animation_base"
LOST, FOUND = "Face lost", "Face found"


@dataclass(frozen=True)
class FaceOfClip:
    """Which face of which clip an action shows.

    Attributes
    ----------
    source
        The clip's identity.
    number
        Of the face in the clip.
    name
        Of a new action.
    """

    source: str
    number: int
    name: str


def animate(
    head: bpy.types.Object,
    face_of_clip: FaceOfClip,
    recording: Recording,
    style: Style,
    rate: float,
    base: Matrix | None = None,
    keys: Keyframes | None = None,
) -> bpy.types.Action:
    """Give a head the motion of a clip, in the action of that clip; other actions stay.

    Parameters
    ----------
    head
        Mesh object that the add-on made.
    face_of_clip
        If the head has an action of the same face of the same clip, that is filled anew.
    recording, style
        The face's raw motion, and what becomes of it.
    rate
        Frames a second of the scene.
    base
        Where the motion begins, in the space of the Empty's parent; None: where the Empty stands,
        or where its present motion begins, if that is of a clip.
    keys
        What `keyframes` made of the recording, if that is done already.

    Raises
    ------
    Problem
        The head cannot be animated, or the face is in no frame. Nothing has changed then.
    """
    check_animatable(head)
    keys = keys or keyframes(recording, style, rate, key_set(head).names)
    data = pack(recording)
    blocks = pose_empty(head), _shape_keys(head)
    if base is None:
        base = _present_base(head)
    reset_photo_pose(head)
    pose, expression = (_action(head, block, face_of_clip) for block in blocks)
    pose[BASE] = [value for row in base for value in row]
    _write_pose(pose, blocks[0], keys)
    _write_expression(expression, head, keys)
    # Bytes that are put over others end at their first zero.
    pose.pop(RECORDING, None)
    pose[RECORDING], pose[STYLE] = data, pack_style(style)
    for action, block in zip((pose, expression), blocks, strict=True):
        _keep_action_of(block)
        compat.use_action(action, block)
        show_present(block)
    return pose


def animate_again(head: bpy.types.Object, style: Style, rate: float) -> bpy.types.Action:
    """Make the keys of a head's present action anew, from its recording.

    Parameters
    ----------
    head
        An animated one.
    style
        Of the new keys; start with `style_of` its action.
    rate
        Frames a second of the scene.

    Raises
    ------
    Problem
        The action has no recording, or it is damaged. Nothing has changed then.
    """
    check_animatable(head)
    action = present_action(head)
    keys = keyframes(unpack(action[RECORDING]), style, rate, key_set(head).names)
    face_of_clip = FaceOfClip(action[identity.SOURCE], action[identity.FACE_INDEX], action.name)
    _write_pose(action, pose_empty(head), keys)
    _write_expression(_action(head, _shape_keys(head), face_of_clip), head, keys)
    action[STYLE] = pack_style(style)
    show_present(pose_empty(head))
    show_present(_shape_keys(head))
    return action


def check_animatable(head: bpy.types.Object) -> None:
    """Refuse a head that cannot be given keys.

    Raises
    ------
    NotNow
        It is in the NLA editor's tweak mode.
    Problem
        It has lost its Empty or a shape key, or is linked from another file.
    """
    expression_keys(head)
    blocks: tuple[Any, ...] = (head, pose_empty(head), _shape_keys(head))
    identity.check_editable(*blocks)
    if any(block.animation_data and block.animation_data.use_tweak_mode for block in blocks):
        raise NotNow(
            f"The head {head.name!r} has a strip in tweak mode in the NLA editor.",
            "Leave tweak mode (press Tab in that editor), and try again.",
        )


def recorded_action(head: bpy.types.Object) -> Any | None:
    """Return the action of a clip that moves a head at present."""
    animation = head.parent.animation_data if head.parent else None
    action: Any = animation.action if animation else None
    recorded = action is not None and all(name in action for name in (RECORDING, STYLE, BASE))
    return action if recorded else None


def present_action(head: bpy.types.Object) -> Any:
    """As `recorded_action`.

    Raises
    ------
    Problem
        There is none.
    """
    action = recorded_action(head)
    if action is None:
        raise Problem(
            f"The head {head.name!r} has no animation from a video.",
            "Run Animate from Video on it, or give its Empty an action from a video.",
        )
    return action


def style_of(action: Any) -> Style:
    """How the keys of an action were made.

    Raises
    ------
    Problem
        That is damaged.
    """
    return unpack_style(action[STYLE])


def is_calibrated(action: Any) -> bool:
    """Whether the keys of an action are counted from a frame at which the face rests."""
    try:
        return style_of(action).neutral is not None
    except Problem:
        return False


def head_of_face(scene: bpy.types.Scene, source: str, number: int) -> bpy.types.Object | None:
    """Return the head in a scene that has an action of this face of this clip, and may be
    changed.
    """
    return next(_moved(scene, [a for a in bpy.data.actions if _shows(a, source, number)]), None)


def heads_of_clip(scene: bpy.types.Scene, source: str) -> list[bpy.types.Object]:
    """Return heads in a scene that have an action of any face of this clip, and may be changed."""
    actions = [a for a in bpy.data.actions if _shows(a, source, a.get(identity.FACE_INDEX))]
    return list(_moved(scene, actions))


def _moved(scene: bpy.types.Scene, actions: list[Any]) -> Iterator[bpy.types.Object]:
    uuids = {action[identity.UUID] for action in actions}
    heads = (object for object in scene.objects if identity.is_ours(object))
    return (head for head in heads if head[identity.UUID] in uuids)


def base_matrix(head: bpy.types.Object) -> Matrix:
    """Where the motion of an animated head begins, in the space of its Empty's parent."""
    return base_of(present_action(head))


def base_of(action: Any | None) -> Matrix:
    """Where the motion of an action begins; one that no clip has made begins nowhere else."""
    values = None if action is None else action.get(BASE)
    return Matrix() if values is None else Matrix([values[i : i + 4] for i in range(0, 16, 4)])


def _present_base(head: bpy.types.Object) -> Matrix:
    action = recorded_action(head)
    return transform_without_photo_pose(head) if action is None else base_of(action)


def _write_pose(action: Any, empty: Any, keys: Keyframes) -> None:
    base = base_of(action)
    linear, offset = np.array(base.to_3x3()), np.array(base.translation)
    curves, timing = compat.curves_of(action, empty), _timing(keys)
    empty.rotation_mode = "QUATERNION"
    turn = np.array(base.to_quaternion())
    quaternions = like_signs(quaternion_product(turn, keys.quaternions))
    fill(curves, "rotation_quaternion", quaternions, timing)
    fill(curves, "location", keys.locations @ linear.T + offset, timing)
    _mark_gaps(action, keys)


def _write_expression(action: Any, head: bpy.types.Object, keys: Keyframes) -> None:
    before = key_units(head)
    units = make_room(head, np.abs(keys.expression).max(axis=0))
    rescale_actions(head, before / units)
    curves, timing = compat.curves_of(action, _shape_keys(head)), _timing(keys)
    for name, values in zip(key_set(head).names, (keys.expression / units).T, strict=True):
        fill(curves, value_path(name), values[:, None], timing)


def _timing(keys: Keyframes) -> Timing:
    return Timing(keys.frames, held=keys.lost, extreme=keys.lost | keys.found)


def _mark_gaps(action: Any, keys: Keyframes) -> None:
    """Name the ends of the gaps by markers of the action."""
    for marker in list(action.pose_markers):
        if marker.name in (LOST, FOUND):
            action.pose_markers.remove(marker)
    for name, where in ((LOST, keys.lost), (FOUND, keys.found)):
        for frame in keys.frames[where]:
            action.pose_markers.new(name).frame = round(frame)


def rescale_actions(head: bpy.types.Object, factors: NDArray[np.floating]) -> None:
    """Keep the meaning of the other clips' keys when a slider's unit has grown."""
    names = key_set(head).names
    for index in np.flatnonzero(factors != 1).tolist():
        for action in bpy.data.actions:
            if action.get(identity.UUID) == head[identity.UUID]:
                curve = compat.curves_of(action, _shape_keys(head)).find(value_path(names[index]))
                if curve is not None:
                    scale_values(curve, factors[index])


def _action(head: bpy.types.Object, block: bpy.types.ID, face_of_clip: FaceOfClip) -> Any:
    """Return the action of a clip's face that moves one of the head's data-blocks; made if need
    be.
    """
    for action in bpy.data.actions:
        shown = _shows(action, face_of_clip.source, face_of_clip.number)
        if shown and action[identity.UUID] == head[identity.UUID] and compat.fits(action, block):
            return action
    suffix = "" if isinstance(block, bpy.types.Object) else " expression"
    action = compat.new_action(face_of_clip.name + suffix, block)
    action.use_fake_user = True
    action[identity.UUID] = head[identity.UUID]
    action[identity.SOURCE], action[identity.FACE_INDEX] = face_of_clip.source, face_of_clip.number
    return action


def _shows(action: Any, source: str, number: int) -> bool:
    return (
        action.library is None
        and identity.UUID in action
        and action.get(identity.SOURCE) == source
        and action.get(identity.FACE_INDEX) == number
    )


def _keep_action_of(block: Any) -> None:
    """Do not let Blender drop, when it saves, the action that is about to be replaced."""
    if block.animation_data and block.animation_data.action:
        block.animation_data.action.use_fake_user = True


def _shape_keys(head: Any) -> Any:
    return head.data.shape_keys


def value_path(name: str) -> str:
    """Of a key's value, as seen from the shape keys."""
    return f'key_blocks["{name}"].value'
