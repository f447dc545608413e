"""Live tracking: the One-Euro filter by its paper, and real faces frame by frame."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from backend.answers.faces import face_pose
from backend.answers.frames import frame_result
from backend.exchange import contract
from backend.geometry.camera import blender_from_model
from backend.geometry.pose import blender_quaternions
from backend.morphable_model.parameters import FaceParameters
from backend.pipeline import FaceReconstructor
from backend.tracking.live import LiveTracker
from backend.tracking.one_euro import Cutoff, OneEuro, OneEuroRotation
from tests.backend.painted_head import in_profile

RNG = np.random.default_rng(5)
# Uneven, as those of a camera are.
TIMES = np.cumsum(RNG.uniform(0.01, 0.06, 60))


def published_filter(
    values: NDArray[np.float64], times: NDArray[np.float64], resting: float, beta: float
) -> list[float]:
    """The paper's algorithm 1, as it stands there, for one number; speed filtered at 1 Hz."""

    def alpha(rate: float, cutoff: float) -> float:
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau * rate)

    filtered, raw, speed = values[0], values[0], 0.0
    result = [filtered]
    for value, step in zip(values[1:], np.diff(times), strict=True):
        rate = 1 / step
        a = alpha(rate, 1.0)
        speed = a * (value - raw) * rate + (1 - a) * speed
        a = alpha(rate, resting + beta * abs(speed))
        filtered = a * value + (1 - a) * filtered
        raw = value
        result.append(filtered)
    return result


@pytest.mark.parametrize(("resting", "beta"), [(1.0, 0.0), (0.5, 0.3), (8.0, 2.0)])
def test_one_euro_is_the_published_filter(resting: float, beta: float) -> None:
    values = np.sin(3 * TIMES)[:, None] + RNG.normal(0, 0.1, (len(TIMES), 3))
    smooth = OneEuro(Cutoff(resting, beta))
    ours = np.array([smooth(value, time) for value, time in zip(values, TIMES, strict=True)])
    for component in range(3):
        expected = published_filter(values[:, component], TIMES, resting, beta)
        np.testing.assert_allclose(ours[:, component], expected, atol=1e-12)


def test_each_component_may_have_a_slope_of_its_own() -> None:
    values = RNG.normal(0, 1, (len(TIMES), 2))
    both = OneEuro(Cutoff(1.0, np.array([0.0, 5.0])))
    ours = np.array([both(value, time) for value, time in zip(values, TIMES, strict=True)])
    np.testing.assert_allclose(ours[:, 0], published_filter(values[:, 0], TIMES, 1, 0), atol=1e-12)
    np.testing.assert_allclose(ours[:, 1], published_filter(values[:, 1], TIMES, 1, 5), atol=1e-12)


def about(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    return np.concatenate([[math.cos(angle / 2)], math.sin(angle / 2) * axis])


def test_turns_about_one_axis_are_smoothed_as_their_angle() -> None:
    axis = np.array([2, -1, 2]) / 3
    angles = 4 * TIMES + RNG.normal(0, 0.05, len(TIMES))  # more than a whole turn
    smooth = OneEuroRotation(Cutoff(1.0, 0.5))
    signs = RNG.choice([-1.0, 1.0], len(TIMES))
    expected = published_filter(angles, TIMES, 1.0, 0.5)
    for sign, angle, time, wanted in zip(signs, angles, TIMES, expected, strict=True):
        ours = smooth(sign * about(axis, angle), time)
        assert abs(ours @ about(axis, wanted)) == pytest.approx(1, abs=1e-12)


def test_quaternions_are_in_blenders_frame_and_never_negative() -> None:
    from scipy.spatial.transform import Rotation

    rotations = Rotation.random(20, RNG).as_matrix()
    quaternions = blender_quaternions(rotations)
    points = RNG.normal(size=(5, 3))
    for rotation, (w, x, y, z) in zip(rotations, quaternions, strict=True):
        turned = Rotation.from_quat([x, y, z, w]).apply(blender_from_model(points))
        np.testing.assert_allclose(turned, blender_from_model(points @ rotation.T), atol=1e-12)
    assert (quaternions[:, 0] >= 0).all() and blender_quaternions(rotations[:0]).shape == (0, 4)


PORTRAIT = data.astronaut()
SKY = np.full_like(PORTRAIT, 150)


def shifted(by: int) -> NDArray[np.uint8]:
    """The portrait, moved to the right."""
    moved = SKY.copy()
    moved[:, by:] = PORTRAIT[:, : PORTRAIT.shape[1] - by]
    return moved


def test_a_face_keeps_its_number_and_is_where_it_is(reconstructor: FaceReconstructor) -> None:
    tracker = reconstructor.live_tracker()
    seen = [frame_result(tracker.frame(shifted(2 * step), step / 30)) for step in range(8)]
    assert [frame.numbers.tolist() for frame in seen] == [[0]] * 8
    first, last = seen[0], seen[-1]
    moved = last.landmarks - first.landmarks
    np.testing.assert_allclose(moved.mean(axis=(0, 1))[:2], [14, 0], atol=1.5)
    # Her eyes, measured by hand in the photo: the middle between the corners of each.
    eyes = first.landmarks[0, 36:48, :2].reshape(2, 6, 2).mean(axis=1)
    np.testing.assert_allclose(eyes, [[203, 101], [248, 103]], atol=5)
    assert 0 < last.confidence[0] <= 1 and last.image_size == (512, 512)


def test_a_stream_that_is_upside_down(reconstructor: FaceReconstructor) -> None:
    """A quick look would take her forehead for the chin; and again when she is back."""
    tracker = reconstructor.live_tracker()
    upside_down = np.ascontiguousarray(PORTRAIT[:300, 70:370][::-1, ::-1])
    empty = np.full_like(upside_down, 150)
    frames = [upside_down, upside_down, empty, upside_down, upside_down]
    seen = [frame_result(tracker.frame(f, step / 5)) for step, f in enumerate(frames)]
    assert [len(frame.numbers) for frame in seen] == [1, 1, 0, 1, 1]
    for frame in (seen[1], seen[4]):
        eyes = frame.landmarks[0, 36:48, :2].reshape(2, 6, 2).mean(axis=1)
        np.testing.assert_allclose(eyes, 299 - np.array([[133, 101], [178, 103]]), atol=5)


def test_a_stream_that_shows_a_profile(reconstructor: FaceReconstructor) -> None:
    """MediaPipe finds no face in it."""
    picture, landmarks = in_profile(reconstructor, -75)
    frame = frame_result(reconstructor.live_tracker().frame(picture, 0.0))
    assert frame.numbers.tolist() == [0]
    size = np.ptp(landmarks[:, :2], axis=0).max()
    inner = np.linalg.norm((frame.landmarks[0] - landmarks)[17:, :2], axis=1).mean()
    assert inner < 0.15 * size


def test_pose_and_expression_are_those_of_the_parameters(reconstructor: FaceReconstructor) -> None:
    frame = frame_result(reconstructor.live_tracker().frame(PORTRAIT, 0.0))
    from backend.geometry.pose import Pose
    from backend.morphable_model.boxes import CROP_SIZE, RoiBox

    box = RoiBox.from_corners(*frame.roi_boxes[0].tolist())
    crop_pose = FaceParameters(frame.parameters[0]).pose
    x, y, z = crop_pose.translation
    step = box.side / CROP_SIZE
    x0, y0 = box.corners[:2]
    origin = np.array([x0 + (x - 1) * step, y0 + (CROP_SIZE - y) * step, z * step])
    pose = face_pose(Pose(crop_pose.rotation, crop_pose.scale * step, origin))
    np.testing.assert_allclose(frame.quaternions[0], pose.quaternion, atol=1e-5)
    np.testing.assert_allclose(frame.scale[0], pose.scale, rtol=1e-5)
    np.testing.assert_allclose(frame.translation[0], pose.translation, atol=1e-3)
    np.testing.assert_allclose(
        frame.expression[0] * reconstructor.model.expression_sigma,
        frame.parameters[0, 52:],
        rtol=1e-4,
    )


def test_frames_without_a_face_are_quick_and_empty(reconstructor: FaceReconstructor) -> None:
    tracker = reconstructor.live_tracker(0.5)
    times = iter(np.arange(100) / 30)
    assert tracker.frame(SKY, next(times)).seen.landmarks.shape == (0, 68, 3)
    for _ in range(5):
        assert len(tracker.frame(SKY, next(times)).seen) == 0
    found = [frame_result(tracker.frame(PORTRAIT, next(times))) for _ in range(6)]
    assert len(found[-1].numbers) == 1
    assert contract.decode_frame(contract.encode_frame(found[-1])).numbers.tolist() == [0]


def test_smoothing_calms_what_rests(reconstructor: FaceReconstructor) -> None:
    """Noise of the pixels alone: nothing else moves."""
    frames = [
        np.clip(PORTRAIT + RNG.normal(0, 12, PORTRAIT.shape), 0, 255).astype(np.uint8)
        for _ in range(25)
    ]

    def unrest(tracker: LiveTracker) -> dict[str, float]:
        seen = [frame_result(tracker.frame(f, i / 30)) for i, f in enumerate(frames)][5:]
        return {
            name: float(np.diff([getattr(f, name)[0] for f in seen], axis=0).std())
            for name in ("quaternions", "translation", "expression", "landmarks")
        }

    raw = unrest(reconstructor.live_tracker(0.0))
    smooth = unrest(reconstructor.live_tracker(1.0))
    for name in ("quaternions", "translation", "expression"):
        assert smooth[name] < 0.5 * raw[name]
    assert smooth["landmarks"] == pytest.approx(raw["landmarks"])
