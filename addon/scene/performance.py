"""Put the faces of a clip into the scene: heads that move as the faces do, and the camera."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..contract import N_EXPRESSIONS, StaticModel, VideoResult, VideoTrack
from ..motion.keyframes import SAME_FRAME, first_location, keyframes
from ..motion.recording import Recording, Style, record
from ..problems import NotNow
from . import identity, material, modifiers
from .animation import Take, animate, base_matrix, check_animatable, head_of_take
from .build import new_head, update_head
from .camera import match_camera
from .clip import Clip, frame_rate, set_frame_rate
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
    place
        Where the first new head stands: metres along X.
    """

    style: Style
    use_camera: bool = False
    use_scene_rate: bool = False
    use_texture: bool = False
    subdivision: int = 0
    place: float = 0.0


@dataclass(frozen=True)
class Bust:
    """What a new head is made of; see `build.Appearance`."""

    neutral: NDArray[np.float32]
    expression: NDArray[np.float32]
    texture_png: NDArray[np.uint8]


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
    Heads move from where they stand. New ones stand to the first as the faces do in the clip.
    """
    recordings = [record(result, track) for track in tracks]
    known = [target or head_of_take(scene, clip.source, track.number) for track in tracks]
    for head, recording in zip(known, recordings, strict=True):
        if head is not None:
            _check(head)
        # Raises what it has to before anything is changed.
        keyframes(recording, staging.style, frame_rate(scene))
    heads = _cast(collection, clip, model, tracks, known, staging)
    if staging.use_scene_rate:
        _settle_scene(scene, recordings[0], staging.style)
    base, first = None, np.zeros(3)
    for number, (head, recording) in enumerate(zip(heads, recordings, strict=True)):
        style, place = staging.style, first_location(recording, staging.style)
        apart = known[number] is None or staging.use_camera
        offset = Matrix.Translation((place - first).tolist())
        take = Take(clip.source, tracks[number].number, _name(clip, tracks, number))
        own = base @ offset if base is not None and apart else None
        animate(head, take, recording, style, frame_rate(scene), own)
        if base is None:
            base, first = base_matrix(head), place
    if staging.use_camera:
        match_camera(scene, collection, clip, heads[0], recordings[0], staging.style)
    return heads


def _check(head: bpy.types.Object) -> None:
    check_animatable(head)
    if head.mode != "OBJECT":
        raise NotNow(
            f"The head {head.name!r} is being edited.", "Go back to Object Mode, and try again."
        )


def _cast(
    collection: bpy.types.Collection,
    clip: Clip,
    model: StaticModel,
    tracks: Sequence[VideoTrack],
    known: Sequence[bpy.types.Object | None],
    staging: Staging,
) -> list[bpy.types.Object]:
    """A head for each track: new where none is known, refreshed where it came from this clip."""
    heads = []
    for number, (track, head) in enumerate(zip(tracks, known, strict=True)):
        name = _name(clip, tracks, number)
        bust = Bust(track.neutral, np.zeros(N_EXPRESSIONS, np.float32), track.texture_png)
        if head is None:
            head = new_head(collection, name, model, bust)
            modifiers.subdivide(head, staging.subdivision)
            head[identity.SOURCE], head[identity.FACE_INDEX] = clip.source, track.number
            pose_empty(head).location.x = staging.place
        elif head.get(identity.SOURCE) == clip.source:
            update_head(head, name, model, bust)
        elif staging.use_texture:
            material.put_texture(head, name, track.texture_png)
        heads.append(head)
    return heads


def _settle_scene(scene: bpy.types.Scene, recording: Recording, style: Style) -> None:
    set_frame_rate(scene, recording.frame_rate, recording.motion.times)
    seconds = recording.motion.times[-1] - style.first_second
    scene.frame_start = math.floor(style.start)
    # The last picture may lie a rounding error behind its frame.
    scene.frame_end = math.ceil(style.start + seconds * frame_rate(scene) - SAME_FRAME)


def _name(clip: Clip, tracks: Sequence[VideoTrack], number: int) -> str:
    return clip.name if len(tracks) == 1 else f"{clip.name} face {tracks[number].number}"
