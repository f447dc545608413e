"""A camera that stands where the clip was filmed from, with the clip behind the heads."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..motion.keyframes import Keyframes
from ..motion.placement import SENSOR_MILLIMETRES
from ..motion.recording import Recording, Style
from . import compat, identity
from .animation import base_matrix
from .clip import Clip, frame_rate
from .curves import Timing, fill
from .pose import pose_empty, space_of

# A camera looks along its own -Z with +Y up; heads are placed for one that looks along +Y.
LOOK_ALONG_Y = Matrix.Rotation(math.pi / 2, 4, "X")


def match_camera(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    clip: Clip,
    head: bpy.types.Object,
    recording: Recording,
    style: Style,
    keys: Keyframes,
) -> bpy.types.Object:
    """Let the scene's camera see an animated head as the clip does; the clip is its background.

    Parameters
    ----------
    scene
        Gets the camera and the clip's resolution. Its frame rate must be settled.
    collection
        Takes a new camera, unless the clip has one from an earlier run.
    clip
        For the background.
    head
        Animated with `keys`.
    recording, style, keys
        What the clip shows of it, and what was made of that.
    """
    camera: Any = _camera(scene, collection, clip)
    base = space_of(pose_empty(head)) @ base_matrix(head)
    place = base @ Matrix.Translation((-keys.first).tolist()) @ LOOK_ALONG_Y
    camera.matrix_world = place.normalized()
    lens = camera.data
    lens.type, lens.sensor_fit, lens.lens_unit = "PERSP", "AUTO", "MILLIMETERS"
    lens.sensor_width, lens.lens = SENSOR_MILLIMETRES, style.focal_length
    lens.shift_x = lens.shift_y = 0.0
    render = scene.render
    render.resolution_x, render.resolution_y = recording.image_size
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    scene.camera = camera
    _show_clip(scene, lens, clip, recording, style)
    return camera


def _camera(
    scene: bpy.types.Scene, collection: bpy.types.Collection, clip: Clip
) -> bpy.types.Object:
    for object in scene.objects:
        if object.type == "CAMERA" and object.get(identity.SOURCE) == clip.source:
            return object
    name = f"{clip.name} camera"
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera[identity.SOURCE] = clip.source
    collection.objects.link(camera)
    return camera


def _show_clip(
    scene: bpy.types.Scene, lens: Any, clip: Clip, recording: Recording, style: Style
) -> None:
    """Give a camera a background: at every frame of the scene the picture of that time."""
    background = lens.background_images[0] if lens.background_images else None
    if background is None:
        background = lens.background_images.new()
    background.source = "IMAGE"
    background.image = _image(clip)
    background.alpha, background.frame_method = 1.0, "STRETCH"
    lens.show_background_images = True
    times = recording.motion.times
    start = math.floor(style.start)
    frames = np.arange(
        start, start + math.ceil((times[-1] - style.first_second) * frame_rate(scene)) + 1
    )
    user = background.image_user
    user.use_auto_refresh = True
    user.frame_start, user.frame_duration = start, len(frames)
    offsets = _offsets(frames, recording, style, frame_rate(scene)) + clip.first_number - 1
    user.frame_offset = offsets[0]
    changes = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
    action = compat.action_moving(lens, f"{clip.name} background")
    path = "background_images[0].image_user.frame_offset"
    hold = Timing(frames[changes], np.ones(len(changes), bool), np.zeros(len(changes), bool))
    fill(compat.curves_of(action, lens), path, offsets[changes, None], hold)


def _offsets(
    frames: NDArray[np.integer], recording: Recording, style: Style, rate: float
) -> NDArray[np.integer]:
    """Return (N,) by how much the clip's picture is ahead of one picture for every frame of the
    scene.
    """
    seconds = style.first_second + (frames - style.start) / rate
    pictures = np.floor(seconds * recording.frame_rate + 0.5).astype(int)
    return pictures - (frames - frames[0])


def _image(clip: Clip) -> bpy.types.Image:
    image = bpy.data.images.load(str(clip.picture), check_existing=True)
    image.source = "MOVIE" if clip.frame_rate is None else "SEQUENCE"
    return image
