"""A tracked clip as it crosses the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.answers.heads import SKIN, whole_answer
from backend.answers.pictures import encode_png
from backend.exchange import contract
from backend.exchange.orders import Parts
from backend.geometry.camera import blender_from_model
from backend.geometry.pose import blender_quaternions
from backend.morphable_model.model import MorphableModel
from backend.tracking.track import Track, TrackedClip

if TYPE_CHECKING:
    from backend.head.dressed import HeadMaker


def video_result(
    clip: TrackedClip,
    model: MorphableModel,
    maker: HeadMaker | None = None,
    parts: Parts = "head",
) -> contract.VideoResult:
    """Return lengths in metres and turns in Blender's frame; nothing is smoothed.

    Parameters
    ----------
    maker
        Makes whole heads of the people; None sends the faces alone.
    parts
        What of the heads is sent, see `whole_answer`.
    """
    return contract.VideoResult(
        tracks=tuple(
            _with_head(_video_track(t, model), t, model, maker, parts) for t in clip.tracks
        ),
        times=clip.times,
        frames=clip.frames,
        image_size=(clip.info.width, clip.info.height),
        frame_rate=clip.info.frame_rate,
    )


def _with_head(
    answer: contract.VideoTrack,
    track: Track,
    model: MorphableModel,
    maker: HeadMaker | None,
    parts: Parts,
) -> contract.VideoTrack:
    if maker is None or not track.keys.shape[1]:
        return answer
    head = maker.make(model.vertices(track.alpha_shape), track.texture)
    textured = track.texture is not None and parts == "head"
    return replace(
        answer,
        whole=whole_answer(head, parts),
        texture_png=encode_png(head.textures[SKIN]) if textured else answer.texture_png,
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
        texture_png=encode_png(track.texture),
        amounts=track.keys if track.keys.size else contract.NO_AMOUNTS,
        gaze=track.gaze if track.gaze.size else contract.NO_AMOUNTS,
    )


def _quaternions(track: Track) -> NDArray[np.float32]:
    quaternions = np.full((len(track.confidence), 4), np.nan, np.float32)
    quaternions[track.present] = blender_quaternions(track.rotation[track.present])
    return quaternions
