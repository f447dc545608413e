"""A tracked clip as it crosses the wire."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.answers.faces import encode_png
from backend.exchange import contract
from backend.geometry.camera import blender_from_model
from backend.geometry.pose import blender_quaternions
from backend.morphable_model.model import MorphableModel
from backend.tracking.track import Track, TrackedClip


def video_result(clip: TrackedClip, model: MorphableModel) -> contract.VideoResult:
    """Lengths in metres and turns in Blender's frame; nothing is smoothed."""
    return contract.VideoResult(
        tracks=tuple(_video_track(track, model) for track in clip.tracks),
        times=clip.times,
        frames=clip.frames,
        image_size=(clip.info.width, clip.info.height),
        frame_rate=clip.info.frame_rate,
    )


def _video_track(track: Track, model: MorphableModel) -> contract.VideoTrack:
    return contract.VideoTrack(
        number=track.number,
        neutral=blender_from_model(model.vertices(track.alpha_shape)),
        parameters=track.parameters,
        roi_boxes=track.roi_boxes,
        quaternions=_quaternions(track),
        scale=track.scale,
        translation=track.translation,
        expression=track.expression,
        confidence=track.confidence,
        amounts=track.keys if track.keys.size else contract.NO_AMOUNTS,
        gaze=track.gaze if track.gaze.size else contract.NO_AMOUNTS,
        texture_png=(np.zeros(0, np.uint8) if track.texture is None else encode_png(track.texture)),
    )


def _quaternions(track: Track) -> NDArray[np.float32]:
    quaternions = np.full((len(track.confidence), 4), np.nan, np.float32)
    quaternions[track.present] = blender_quaternions(track.rotation[track.present])
    return quaternions
