"""Smoothing, against closed forms and against second implementations (NumPy's, SciPy's)."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from backend.exchange.expressions import EXPRESSIONS
from backend.exchange.smoothing import (
    CALM,
    CALM_RADIANS,
    LONGEST_SECONDS,
    Motion,
    Strengths,
    like_signs,
    smooth,
)
from tests.slowness import slowness

ROOT = Path(__file__).resolve().parents[2]
ALL = Strengths(1, 1, 1)


def quaternions_of(rotation: Rotation) -> np.ndarray:
    return rotation.as_quat(scalar_first=True)


def rotation_of(quaternions: np.ndarray) -> Rotation:
    return Rotation.from_quat(quaternions, scalar_first=True)


def irregular_times(n: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).uniform(0.005, 0.07, n))


def motion_of(times: np.ndarray, expression: np.ndarray | None = None, **arrays: object) -> Motion:
    """A still face that looks ahead, with one thing or another changed."""
    n = len(times)
    if expression is None:
        expression = np.zeros((n, 1))
    still = Motion(
        times=times,
        confidence=np.ones(n),
        quaternions=np.tile([1.0, 0, 0, 0], (n, 1)),
        scale=np.full(n, 2.0),
        translation=np.tile([300.0, 200, 0], (n, 1)),
        expression=expression,
    )
    return replace(still, **arrays)


def test_parabolas_are_reproduced_at_any_times_and_confidences() -> None:
    rng = np.random.default_rng(1)
    times = irregular_times(120)
    powers = times[:, None] ** np.arange(3)
    motion = motion_of(
        times,
        expression=powers @ rng.normal(size=(3, 10)),
        confidence=rng.uniform(0.2, 1, 120),
        scale=powers @ [3, 0.1, 0.05],
        translation=powers @ rng.normal(size=(3, 3)) * 20,
    )
    found = smooth(motion, ALL)
    for name in ("expression", "scale", "translation"):
        expected = getattr(motion, name)
        np.testing.assert_allclose(getattr(found, name), expected, atol=1e-8, err_msg=name)


def test_a_turn_at_constant_rate_is_reproduced_beyond_half_a_turn() -> None:
    times = irregular_times(100)
    axis = np.array([1.0, 2.0, -2.0]) / 3
    quaternions = quaternions_of(Rotation.from_rotvec(np.outer(1.5 * times, axis)))
    flips = np.random.default_rng(2).choice([-1.0, 1.0], (100, 1))
    found = smooth(motion_of(times, quaternions=quaternions * flips), Strengths()).quaternions
    off = rotation_of(found) * rotation_of(quaternions).inv()
    assert off.magnitude().max() < 1e-9
    assert (np.einsum("ij,ij->i", found[1:], found[:-1]) > 0).all()


def test_the_frame_in_which_rotations_are_given_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    times = irregular_times(60)
    rotation = Rotation.from_rotvec(np.cumsum(rng.normal(0, 0.05, (60, 3)), axis=0))
    turn = Rotation.from_rotvec([0.3, -1.0, 0.7])
    here = smooth(motion_of(times, quaternions=quaternions_of(rotation)), ALL).quaternions
    there = smooth(
        motion_of(times, quaternions=quaternions_of(turn * rotation * turn.inv())), ALL
    ).quaternions
    off = rotation_of(there) * (turn * rotation_of(here) * turn.inv()).inv()
    assert off.magnitude().max() < 1e-12
    assert (rotation_of(here) * rotation.inv()).magnitude().max() > 0.01


def test_equals_a_weighted_fit_by_polyfit() -> None:
    rng = np.random.default_rng(4)
    times, values = irregular_times(50), rng.normal(size=50)
    confidence = rng.uniform(0.3, 1, 50)
    sigma = 0.4 * LONGEST_SECONDS
    found = smooth(
        motion_of(times, expression=values[:, None], confidence=confidence),
        Strengths(expression=0.4),
    ).expression[:, 0]
    for here, now in enumerate(times):
        near = np.abs(times - now) <= 4 * sigma
        gaussian = np.exp(-0.5 * ((times[near] - now) / sigma) ** 2)
        weights = confidence[near] * (gaussian - np.exp(-8))
        # polyfit squares its weights.
        fitted = np.polyfit(times[near] - now, values[near], 2, w=np.sqrt(weights))
        assert found[here] == pytest.approx(fitted[-1], abs=1e-9)


def test_small_rotations_are_smoothed_as_vectors_are_by_wider_windows() -> None:
    times = irregular_times(80)
    vectors = np.random.default_rng(5).normal(0, 1e-5, (80, 3))
    motion = motion_of(
        times, expression=vectors, quaternions=quaternions_of(Rotation.from_rotvec(vectors))
    )
    found = smooth(motion, Strengths(rotation=0.2, expression=0.2 * CALM))
    turned = rotation_of(found.quaternions).as_rotvec()
    np.testing.assert_allclose(turned, found.expression, atol=2e-9)
    assert np.abs(found.expression).max() > 2e-6


def test_nothing_comes_late() -> None:
    """The answer to a single peak is symmetric about it, and waves keep their phase."""
    times = np.arange(101) / 25
    peak = np.zeros((101, 1))
    peak[50] = 1
    answer = smooth(motion_of(times, expression=peak), ALL).expression[:, 0]
    np.testing.assert_allclose(answer, answer[::-1], atol=1e-12)
    assert answer.argmax() == 50
    angle = 2 * np.pi * 0.8 * times
    expression = np.column_stack([np.cos(angle), np.sin(angle)])
    smoothed = smooth(motion_of(times, expression=expression), ALL).expression[20:-20] @ [1, 1j]
    lag = np.angle(smoothed / np.exp(1j * angle[20:-20])) / (2 * np.pi * 0.8)
    assert np.abs(lag).max() < 1e-9
    assert 0.5 < np.abs(smoothed).min() < 0.999


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_noise_falls_by_the_gain_of_the_kernel(strength: float) -> None:
    """The equivalent kernel of a local parabola is (3/2 - u^2/2) phi(u) (Fan & Gijbels 1996); its
    square integrates to 27 / (32 sqrt(pi)).
    """
    rate, n = 60, 1000
    noise = np.random.default_rng(6).normal(size=(n, 40))
    motion = motion_of(np.arange(n) / rate, expression=noise)
    found = smooth(motion, Strengths(expression=strength)).expression[60:-60]
    gain = 27 / (32 * np.sqrt(np.pi)) / (strength * LONGEST_SECONDS * rate)
    assert found.var() == pytest.approx(gain, rel=0.03)


def test_a_head_held_still_stands_stiller() -> None:
    """By the gain of the wider window's kernel, see above."""
    rate, n = 30, 1500
    vectors = np.random.default_rng(12).normal(0, np.radians(0.1), (n, 3))
    motion = motion_of(
        np.arange(n) / rate, quaternions=quaternions_of(Rotation.from_rotvec(vectors))
    )
    found = smooth(motion, Strengths(rotation=0.5)).quaternions[60:-60]
    gain = 27 / (32 * np.sqrt(np.pi)) / (CALM * 0.5 * LONGEST_SECONDS * rate)
    assert rotation_of(found).as_rotvec().var() == pytest.approx(
        gain * np.radians(0.1) ** 2, rel=0.2
    )


@pytest.mark.parametrize("turns", [0.7, 2.0, 3.0])
def test_a_head_that_moves_is_not_smoothed_more(turns: float) -> None:
    """`d exp(-d^2 / 2)` is at most `exp(-1/2)`."""
    times = np.arange(200) / 30
    yaw = np.radians(20) * np.sin(2 * np.pi * turns * times)
    rotation = Rotation.from_rotvec(yaw[:, None] * [0, 1, 0])
    motion = motion_of(times, yaw[:, None], quaternions=quaternions_of(rotation))
    found = smooth(motion, Strengths(rotation=0.5, expression=0.5))
    turned = rotation_of(found.quaternions).as_rotvec()[:, 1]
    off = np.abs(turned - found.expression[:, 0])
    assert off.max() <= CALM_RADIANS * np.exp(-0.5) + 1e-9
    assert np.median(off) < CALM_RADIANS / 10


def test_gaps_stay_and_long_ones_divide() -> None:
    times = np.arange(200) / 25
    confidence = np.ones(200)
    confidence[40:43] = 0
    confidence[100:125] = 0
    level = (times > 4.4).astype(float)
    broken = np.where(confidence > 0, level, np.nan)[:, None]
    found = smooth(
        motion_of(times, expression=broken, confidence=confidence, scale=2 + broken[:, 0]), ALL
    )
    for values in (found.expression[:, 0], found.scale - 2):
        assert np.isnan(values[confidence == 0]).all()
        np.testing.assert_allclose(values[confidence > 0], level[confidence > 0], atol=1e-9)
    assert np.isnan(found.quaternions[110]).all()
    assert np.isnan(found.translation[41]).all()


def test_a_short_gap_is_looked_across() -> None:
    """Beside a gap of three frames a value is as it is when these frames just do not count."""
    times = np.arange(60) / 25
    values = np.random.default_rng(7).normal(size=(60, 1))
    confidence = np.ones(60)
    confidence[30:33] = 0
    gap = smooth(motion_of(times, expression=values, confidence=confidence), ALL).expression
    alone = smooth(motion_of(times[:30], expression=values[:30]), ALL).expression
    assert abs(gap[29] - alone[29]) > 1e-3
    np.testing.assert_allclose(gap[10], alone[10], atol=1e-12)


@pytest.mark.parametrize("what", ["place", "size", "turn"])
def test_a_cut_is_not_smeared(what: str) -> None:
    times = np.arange(80) / 25
    after = (times >= 40 / 25).astype(float)
    motion = motion_of(times)
    if what == "place":
        motion = replace(motion, translation=motion.translation + 400 * after[:, None])
    elif what == "size":
        motion = replace(motion, scale=motion.scale * (1 + 0.5 * after))
    else:
        turned = Rotation.from_rotvec(np.outer(after, [0, 1.2, 0]))
        motion = replace(motion, quaternions=quaternions_of(turned))
    found = smooth(motion, ALL)
    for name in ("translation", "scale", "quaternions"):
        np.testing.assert_allclose(getattr(found, name), getattr(motion, name), atol=1e-9)


def test_a_quick_head_is_no_cut() -> None:
    """Noise on a head that turns at 370 degrees and moves at 0.9 metres a second is smoothed."""
    rng = np.random.default_rng(8)
    times = np.arange(200) / 25
    yaw = np.radians(60) * np.sin(2 * np.pi * times)
    clean = Rotation.from_rotvec(np.outer(yaw, [0, 1, 0]))
    noisy = clean * Rotation.from_rotvec(rng.normal(0, 0.02, (200, 3)))
    place = np.outer(times, [900 * 2.0, 0, 0])
    translation = place + rng.normal(0, 2, (200, 3))
    motion = motion_of(times, quaternions=quaternions_of(noisy), translation=translation)
    found = smooth(motion, Strengths(0.2, 0.5, 0))

    def error(quaternions: np.ndarray) -> float:
        return float((rotation_of(quaternions) * clean.inv()).magnitude().mean())

    assert error(found.quaternions) < 0.75 * error(motion.quaternions)
    assert np.abs(found.translation - place).mean() < 0.55 * np.abs(translation - place).mean()


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_a_few_frames_stay_as_they_are(n: int) -> None:
    rng = np.random.default_rng(n)
    vectors = rng.normal(0, 0.1, (n, 3))
    motion = motion_of(
        np.arange(n) / 25,
        expression=vectors,
        quaternions=quaternions_of(Rotation.from_rotvec(vectors.reshape(-1, 3))),
    )
    found = smooth(motion, ALL)
    np.testing.assert_allclose(found.expression, vectors, atol=1e-12)
    np.testing.assert_allclose(found.quaternions, motion.quaternions, atol=1e-12)


def test_no_strength_changes_nothing_and_wrong_ones_are_refused() -> None:
    rng = np.random.default_rng(9)
    motion = motion_of(irregular_times(30), expression=rng.normal(size=(30, 10)))
    np.testing.assert_array_equal(smooth(motion, Strengths(0, 0, 0)).expression, motion.expression)
    with pytest.raises(ValueError, match=r"position is 1\.5"):
        Strengths(position=1.5)
    with pytest.raises(ValueError, match="rotation is nan"):
        Strengths(rotation=float("nan"))


def test_frames_that_share_a_time_do_no_harm() -> None:
    times = np.repeat(np.arange(10) / 25, 4)
    values = np.tile([0.0, 1.0, 2.0, 3.0], 10)[:, None]
    found = smooth(motion_of(times, expression=values), ALL).expression
    np.testing.assert_allclose(found, 1.5, atol=1e-6)
    at_once = smooth(motion_of(np.zeros(8), expression=np.arange(8.0)[:, None]), ALL).expression
    np.testing.assert_allclose(at_once, 3.5, atol=1e-6)


def test_like_signs_keeps_the_rotations() -> None:
    quaternions = quaternions_of(Rotation.random(50, rng=np.random.default_rng(10)))
    found = like_signs(quaternions)
    np.testing.assert_allclose(np.abs(found), np.abs(quaternions))
    assert (np.einsum("ij,ij->i", found[1:], found[:-1]) >= 0).all()


def test_ten_thousand_frames_take_less_than_a_second() -> None:
    rng = np.random.default_rng(11)
    n = 10_000
    vectors = np.cumsum(rng.normal(0, 0.01, (n, 3)), axis=0)
    motion = motion_of(
        np.arange(n) / 30,
        expression=rng.normal(size=(n, 10)),
        quaternions=quaternions_of(Rotation.from_rotvec(vectors)),
    )
    start = time.process_time()
    smooth(motion, Strengths())
    assert (time.process_time() - start) / slowness() < 1


KEYS = {key.name: index for index, key in enumerate(EXPRESSIONS)}


def keyed(rate: float, **values: np.ndarray) -> Motion:
    """A still face with some of the 52 keys moving, in the noise that MediaPipe leaves."""
    n = len(next(iter(values.values())))
    keys = np.abs(np.random.default_rng(12).normal(0, 0.02, (n, len(EXPRESSIONS))))
    for name, value in values.items():
        keys[:, KEYS[name]] = np.clip(keys[:, KEYS[name]] + value, 0, 1)
    return motion_of(np.arange(n) / rate, keys=keys)


@pytest.mark.parametrize("rate", [24.0, 30.0, 60.0])
def test_a_blink_keeps_its_depth_and_its_time(rate: float) -> None:
    blink = np.zeros(120)
    blink[60:63] = [0.6, 1.0, 0.7]
    found = smooth(keyed(rate, eyeBlinkLeft=blink), Strengths()).keys[:, KEYS["eyeBlinkLeft"]]
    assert found[61] > 0.95
    assert found.argmax() == 61
    middle = (found[58:66] * np.arange(58, 66)).sum() / found[58:66].sum()
    expected = (blink * np.arange(120)).sum() / blink.sum()
    assert middle == pytest.approx(expected, abs=0.15)


def test_what_rests_is_still_and_lips_that_touch_stay_shut() -> None:
    jaw = np.full(120, 0.5)
    jaw[70:72] = 0.0
    motion = keyed(25, jawOpen=jaw)
    found = smooth(motion, Strengths()).keys
    assert found[71, KEYS["jawOpen"]] < 0.05
    rest = found[20:50, KEYS["jawOpen"]]
    assert rest.std() < 0.65 * motion.keys[20:50, KEYS["jawOpen"]].std()


def test_eyes_jump_at_once_and_rest_quietly() -> None:
    gaze = np.random.default_rng(13).normal(0, 0.5, (100, 4))
    gaze[50:, ::2] += 15
    found = smooth(motion_of(np.arange(100) / 25, gaze=gaze), Strengths()).gaze
    assert found[49, 0] < 1.5 and found[50, 0] > 13.5
    assert found[10:40].std() < 0.65 * gaze[10:40].std()


def test_groups_have_strengths_of_their_own_and_none_leaves_the_raw_values() -> None:
    motion = keyed(30, browInnerUp=np.zeros(60))
    only = Strengths(0, 0, 0, lids=0, gaze=0, mouth=0, brows=1)
    found = smooth(motion, only).keys
    brows = [key.group == "brows" for key in EXPRESSIONS]
    assert found[:, brows].std() < 0.6 * motion.keys[:, brows].std()
    np.testing.assert_allclose(found[:, ~np.array(brows)], motion.keys[:, ~np.array(brows)])


def test_motions_without_keys_are_smoothed_as_before() -> None:
    found = smooth(motion_of(np.arange(30) / 25), Strengths())
    assert found.keys.shape == found.gaze.shape == (30, 0)
