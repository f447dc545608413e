"""Clips and frames over the wire: what goes in comes out, and nothing else is accepted."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from backend.exchange import contract
from backend.exchange.contract import ContractError
from tests.backend.fake_tracking import GAP, FakeTracking, a_track, a_video
from tests.backend.whole_heads import a_whole_head, assert_same


def a_frame() -> contract.FrameResult:
    image = np.full((48, 64, 3), 7, np.uint8)
    return FakeTracking().live_tracker(0.5).frame(image, 1.25)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_video_round_trip(count: int) -> None:
    video = a_video(29.97, count)
    decoded = contract.decode_video(contract.encode_video(video))
    assert_same(video, decoded)
    assert len(decoded.tracks) == count
    for before, after in zip(video.tracks, decoded.tracks, strict=True):
        assert_same(before, after)
        assert after.parameters.flags.aligned and np.isnan(after.scale[GAP])
    assert decoded.times.flags.aligned and decoded.times.dtype == np.float64


def test_tracks_of_whole_heads_have_named_amounts_with_the_same_gaps() -> None:
    track = a_track()
    amounts = np.full((len(track.confidence), 3), 0.25, np.float32)
    amounts[GAP] = np.nan
    whole = replace(track, whole=a_whole_head(len(track.neutral)), amounts=amounts)
    video = replace(a_video(), tracks=(track, replace(whole, number=1)))
    assert_same(video, contract.decode_video(contract.encode_video(video)))
    filled = replace(whole, amounts=np.zeros_like(amounts))
    with pytest.raises(ContractError, match="gaps"):
        contract.decode_video(contract.encode_video(replace(video, tracks=(filled,))))


def test_a_clip_without_frames() -> None:
    empty = contract.VideoResult((), np.zeros(0), np.zeros(0, np.int64), (2, 2), 1.0)
    assert len(contract.decode_video(contract.encode_video(empty)).times) == 0


def with_track(**changes: Any) -> contract.VideoResult:
    return replace(a_video(), tracks=(replace(a_track(), **changes),))


def changed(array: Any, at: Any, value: float) -> Any:
    copy = array.copy()
    copy[at] = value
    return copy


TRACK = a_track()
BAD_VIDEOS = {
    "times fall": replace(a_video(), times=np.array([0, 2, 1, 3.0])),
    "NaN time": replace(a_video(), times=np.array([0, 1, np.nan, 3.0])),
    "fewer frame numbers": replace(a_video(), frames=np.arange(3)),
    "short frame numbers": replace(a_video(), frames=np.arange(4, dtype=np.int32)),
    "no size": replace(a_video(), image_size=(0, 480)),
    "more rows": with_track(scale=np.ones(5, np.float32)),
    "float64 rows": with_track(scale=TRACK.scale.astype(np.float64)),
    "61 parameters": with_track(parameters=TRACK.parameters[:, 1:]),
    "a value in a gap": with_track(expression=changed(TRACK.expression, (GAP, 0), 1)),
    "NaN outside of a gap": with_track(quaternions=changed(TRACK.quaternions, (0, 0), np.nan)),
    "infinity in a gap": with_track(translation=changed(TRACK.translation, (GAP, 0), np.inf)),
    "confidence above 1": with_track(confidence=changed(TRACK.confidence, 0, 1.5)),
    "negative confidence": with_track(confidence=changed(TRACK.confidence, 0, -0.5)),
    "NaN confidence": with_track(confidence=changed(TRACK.confidence, GAP, np.nan)),
    "NaN vertex": with_track(neutral=changed(TRACK.neutral, (0, 0), np.nan)),
    "negative number": with_track(number=-1),
    "number a text": with_track(number="0"),
    "number true": with_track(number=True),
}


@pytest.mark.parametrize("video", BAD_VIDEOS.values(), ids=BAD_VIDEOS.keys())
def test_bad_videos_are_refused(video: contract.VideoResult) -> None:
    with pytest.raises(ContractError):
        contract.decode_video(contract.encode_video(video))


def test_every_truncation_of_a_video_is_refused() -> None:
    body = contract.encode_video(a_video())
    for length in range(len(body)):
        with pytest.raises(ContractError):
            contract.decode_video(body[:length])


def test_frame_round_trip() -> None:
    frame = a_frame()
    assert_same(frame, contract.decode_frame(contract.encode_frame(frame)))
    names = [part.name for part in fields(frame)][2:]
    nobody = replace(frame, **{name: getattr(frame, name)[:0] for name in names})
    assert len(contract.decode_frame(contract.encode_frame(nobody)).numbers) == 0


def twice(array: Any) -> Any:
    return np.concatenate([array, array])


EVERY_ROW = [part.name for part in fields(a_frame())[2:]]
BAD_FRAMES = {
    "two rows of one face": replace(a_frame(), scale=np.ones(2, np.float32)),
    "the same face twice": replace(
        a_frame(), **{name: twice(getattr(a_frame(), name)) for name in EVERY_ROW}
    ),
    "NaN": replace(a_frame(), scale=np.full(1, np.nan, np.float32)),
    "67 landmarks": replace(a_frame(), landmarks=np.zeros((1, 67, 3), np.float32)),
    "no size": replace(a_frame(), image_size=(640, 0)),
}


@pytest.mark.parametrize("frame", BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
def test_bad_frames_are_refused(frame: contract.FrameResult) -> None:
    with pytest.raises(ContractError):
        contract.decode_frame(contract.encode_frame(frame))


def test_the_body_of_another_question_is_refused() -> None:
    with pytest.raises(ContractError, match="kind"):
        contract.decode_video(contract.encode_frame(a_frame()))
    with pytest.raises(ContractError, match="kind"):
        contract.decode_frame(contract.encode_video(a_video()))


def test_keys_and_gaze_cross_the_wire_without_a_whole_head() -> None:
    track = a_track()
    amounts = np.full((len(track.confidence), 52), 0.25, np.float32)
    gaze = np.full((len(track.confidence), 4), -3, np.float32)
    amounts[track.confidence == 0] = gaze[track.confidence == 0] = np.nan
    video = replace(a_video(), tracks=(replace(track, amounts=amounts, gaze=gaze),))
    (found,) = contract.decode_video(contract.encode_video(video)).tracks
    np.testing.assert_array_equal(found.amounts, amounts)
    np.testing.assert_array_equal(found.gaze, gaze)
    frame = replace(a_frame(), amounts=amounts[:1], gaze=gaze[:1])
    again = contract.decode_frame(contract.encode_frame(frame))
    np.testing.assert_array_equal(again.amounts, amounts[:1])
    np.testing.assert_array_equal(again.gaze, gaze[:1])
    for bad in (replace(frame, amounts=amounts[:1] + 1), replace(frame, gaze=gaze[:1, :3])):
        with pytest.raises(contract.ContractError):
            contract.decode_frame(contract.encode_frame(bad))
