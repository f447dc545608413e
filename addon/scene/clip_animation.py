"""Put the faces of a clip into the scene: heads that move as the faces do, and the camera."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from ..exchange.contract import N_EXPRESSIONS, StaticModel, VideoResult, VideoTrack, WholeHead
from ..motion.keyframes import SAME_FRAME, keyframes
from ..motion.recording import Style, record
from ..problems import NotNow
from . import identity, material, modifiers
from .animation import FaceOfClip, animate, base_matrix, check_animatable, head_of_face
from .appearance import key_set_of
from .build import new_head, update_head
from .camera import match_camera
from .clip import Clip, frame_rate, rate_for, set_frame_rate
from .key_sets import key_set
from .places import free_place
from .pose import pose_empty


@dataclass(frozen=True)
class Staging:
    """How a clip is put into a scene.

    Attributes
    ----------
    style
        How keys are made of the recordings.
    use_camera
        Make the scene's camera see the heads as the clip does, with the clip behind them.
    use_scene_rate
        Give the scene the frame rate and the length of the clip.
    use_texture
        Give a head that did not come from this clip the clip's texture.
    subdivision
        Levels that new heads have in renders.
    in_sight
        As in `places.free_place`.
    """

    style: Style
    use_camera: bool = False
    use_scene_rate: bool = False
    use_texture: bool = False
    subdivision: int = 0
    in_sight: bool = False


@dataclass(frozen=True)
class NeutralHead:
    """What a new head is made of; see `appearance.Appearance`."""

    neutral: NDArray[np.float32]
    expression: NDArray[np.float32]
    texture_png: NDArray[np.uint8]
    whole: WholeHead | None
    amounts: NDArray[np.float32]

    @classmethod
    def of(cls, track: VideoTrack) -> NeutralHead:
        """Of a face in a clip, without expression."""
        names = () if track.whole is None else track.whole.keys.names
        amounts = np.zeros(len(names), np.float32)
        expression = np.zeros(N_EXPRESSIONS, np.float32)
        return cls(track.neutral, expression, track.texture_png, track.whole, amounts)


def perform(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    clip: Clip,
    model: StaticModel,
    result: VideoResult,
    tracks: Sequence[VideoTrack],
    target: bpy.types.Object | None,
    staging: Staging,
) -> list[bpy.types.Object]:
    """Make or take one head for each track, and animate it.

    Parameters
    ----------
    scene
        Heads of earlier runs are looked for in it.
    collection
        Takes new objects.
    clip, model, result
        The clip, and what the backend says of it.
    tracks
        Those of `result` that are wanted.
    target
        The head for a single track; None takes the head that an earlier run animated with the
        same face of this clip, or makes a new one.
    staging
        How.

    Raises
    ------
    NotNow
        A head is being edited, or tweaked in the NLA editor.
    Problem
        A head cannot be animated, or the data cannot be used. The scene is then as before.

    Notes
    -----
    Heads move from where they stand. New ones stand to the first as the faces do in the clip, and
    the first where there is room for all of them.
    """
    style, recordings = staging.style, [record(result, track) for track in tracks]
    known = [target or head_of_face(scene, clip.source, track.number) for track in tracks]
    for head in filter(None, known):
        _check(head)
    rate = frame_rate(scene)
    if staging.use_scene_rate:
        rate = rate_for(scene, result.frame_rate, result.times)
    # Raises what it has to before anything is changed.
    names = [
        (key_set(head) if head else key_set_of(NeutralHead.of(track))).names
        for head, track in zip(known, tracks, strict=True)
    ]
    moves = [
        keyframes(recording, style, rate, wanted)
        for recording, wanted in zip(recordings, names, strict=True)
    ]
    offsets = np.array([keys.first - moves[0].first for keys in moves])
    place = free_place(scene, offsets, in_sight=staging.in_sight)
    heads = _cast(collection, clip, model, tracks, known, place, staging)
    if staging.use_scene_rate:
        _settle_scene(scene, rate, result.times, style)
    base: Matrix | None = None
    for number, (head, keys) in enumerate(zip(heads, moves, strict=True)):
        face_of_clip = FaceOfClip(clip.source, tracks[number].number, _name(clip, tracks, number))
        own = None
        if base is not None and (known[number] is None or staging.use_camera):
            own = base @ Matrix.Translation(offsets[number].tolist())
        animate(head, face_of_clip, recordings[number], style, rate, own, keys)
        if base is None:
            base = base_matrix(head)
    if staging.use_camera:
        match_camera(scene, collection, clip, heads[0], recordings[0], style, moves[0])
    return heads


def _check(head: bpy.types.Object) -> None:
    check_animatable(head)
    if head.mode != "OBJECT":
        raise NotNow(
            f"The head {head.name!r} is being edited.", "Switch to Object Mode, and try again."
        )


def _cast(
    collection: bpy.types.Collection,
    clip: Clip,
    model: StaticModel,
    tracks: Sequence[VideoTrack],
    known: Sequence[bpy.types.Object | None],
    place: Vector,
    staging: Staging,
) -> list[bpy.types.Object]:
    """Return a head for each track: new where none is known, refreshed where it came from this
    clip.
    """
    heads = []
    for number, (track, head) in enumerate(zip(tracks, known, strict=True)):
        name = _name(clip, tracks, number)
        neutral_head = NeutralHead.of(track)
        if head is None:
            head = new_head(collection, name, model, neutral_head)
            modifiers.subdivide(head, staging.subdivision)
            head[identity.SOURCE], head[identity.FACE_INDEX] = clip.source, track.number
            pose_empty(head).location = place
        elif head.get(identity.SOURCE) == clip.source:
            update_head(head, name, model, neutral_head)
        elif staging.use_texture:
            material.put_texture(head, name, track.texture_png)
            # It was of the photo's texture, which can be made again in other ways.
            head.pop(identity.TEXTURE_MODE, None)
        heads.append(head)
    return heads


def _settle_scene(
    scene: bpy.types.Scene, rate: float, times: NDArray[np.floating], style: Style
) -> None:
    set_frame_rate(scene, rate)
    seconds = times[-1] - style.first_second
    scene.frame_start = math.floor(style.start)
    # The last picture may lie a rounding error behind its frame.
    scene.frame_end = math.ceil(style.start + seconds * frame_rate(scene) - SAME_FRAME)


def _name(clip: Clip, tracks: Sequence[VideoTrack], number: int) -> str:
    return clip.name if len(tracks) == 1 else f"{clip.name} face {tracks[number].number}"
