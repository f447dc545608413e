"""Errors of tracks against truth: measures by closed forms, and the real tracker on drawn clips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from backend.cli import main
from backend.exchange.smoothing import Strengths
from backend.morphable_model.model import MorphableModel
from backend.pipeline import FaceReconstructor
from backend.tracking.track import Track, TrackedClip
from backend.vision.clip import ClipInfo
from training.evaluation.clips.accuracy import (
    lag_in_frames,
    measure_jitter,
    measure_motion,
    measure_presence,
)
from training.evaluation.clips.file import ClipPlan
from training.evaluation.clips.report import ClipTrial
from training.evaluation.clips.scenarios import SCENARIOS, Setup
from training.evaluation.clips.truth import truth_of

RAW = Strengths(0, 0, 0)


def truth_of_scenario(model: MorphableModel, scenario: str, n: int = 100) -> TrackedClip:
    stage = Setup(model, np.arange(n) / 25, 640, 360, np.random.default_rng(1))
    return truth_of(SCENARIOS[scenario](stage), model, ClipInfo(640, 360, 25.0, "drawn"))


def changed(clip: TrackedClip, **arrays: np.ndarray) -> TrackedClip:
    return replace(clip, tracks=(replace(clip.tracks[0], **arrays), *clip.tracks[1:]))


def test_the_truth_has_no_error(model: MorphableModel) -> None:
    truth = truth_of_scenario(model, "turn")
    found = measure_motion(truth, truth, model, RAW)
    assert found.rotation < 0.01
    assert found.lag == 0
    assert found.landmarks < 0.01
    np.testing.assert_allclose(found.correlation, 1, atol=1e-6)


def test_a_turn_of_three_degrees_is_an_error_of_three_degrees(model: MorphableModel) -> None:
    truth = truth_of_scenario(model, "turn")
    turn = Rotation.from_rotvec(np.radians([0, 3, 0])).as_matrix()
    rotation = (truth.tracks[0].rotation @ turn).astype(np.float32)
    found = measure_motion(truth, changed(truth, rotation=rotation), model, RAW)
    assert found.rotation == pytest.approx(3, abs=0.01)
    assert found.landmarks > 1


@pytest.mark.parametrize("late", [-0.5, 0.25, 2.0])
def test_a_late_curve_is_late(late: float) -> None:
    times = np.sort(np.random.default_rng(2).uniform(0, 8, 200))
    frame = np.diff(times).mean()

    def curve(t: np.ndarray) -> np.ndarray:
        return 40 * np.sin(1.6 * t) + 5 * np.sin(4 * t)

    other = np.arange(0, 8, 1 / 60)
    found = lag_in_frames((times, curve(times)), (other, curve(other - late * frame)))
    assert found == pytest.approx(late, abs=0.1)


def test_strong_expressions_move_the_landmarks(model: MorphableModel) -> None:
    """By the plain formula: a coefficient's landmarks against the neutral ones."""
    truth = truth_of_scenario(model, "turn")
    found = measure_motion(truth, truth, model, RAW)
    expression = truth.tracks[0].expression.astype(np.float64)
    for k in range(0, 10, 4):
        alpha = np.zeros((len(expression), 50))
        alpha[:, 40 + k] = expression[:, k] * model.expression_sigma[k]
        points = np.einsum("pck,fk->fpc", model.landmark_basis, alpha)
        moved = np.linalg.norm(points - points.mean(axis=0), axis=2)
        assert found.strength[k] == pytest.approx(np.sqrt((moved**2).mean()), rel=1e-4)


def test_jitter_is_that_of_the_noise(model: MorphableModel) -> None:
    """Noise of 0.2 degrees about each axis is 0.2 * sqrt(3) degrees of angle."""
    truth = truth_of_scenario(model, "still", 2000)
    rng = np.random.default_rng(3)
    noise = Rotation.from_rotvec(np.radians(rng.normal(0, 0.2, (2000, 3)))).as_matrix()
    track = truth.tracks[0]
    shift = np.zeros((2000, 3), np.float32)
    shift[:, 0] = rng.normal(0, 0.5, 2000)
    turned = changed(truth, rotation=(track.rotation @ noise).astype(np.float32))
    moved = changed(truth, translation=track.translation + shift)
    assert measure_jitter(turned, model, RAW).degrees == pytest.approx(0.2 * 3**0.5, rel=0.03)
    assert measure_jitter(moved, model, RAW).pixels == pytest.approx(0.5, rel=0.05)
    assert measure_jitter(moved, model, RAW).degrees < 0.01
    assert measure_jitter(moved, model, Strengths()).pixels < 0.25


def test_presence_counts_whom_it_should(model: MorphableModel) -> None:
    truth = truth_of_scenario(model, "crossing")
    perfect = measure_presence(truth, truth)
    assert (perfect.tracks, perfect.found) == (2, 1.0)
    # Where the two overlap, each is near the other, which is no mistake.
    assert perfect.mistaken == 0
    left, right = truth.tracks
    half = np.arange(100) >= 50

    def mixed(first: Track, second: Track) -> Track:
        values = {
            name: np.where(half.reshape(-1, *[1] * (a.ndim - 1)), getattr(second, name), a)
            for name, a in vars(first).items()
            if name not in ("number", "alpha_shape", "texture", "remark")
        }
        return replace(first, **values)

    swapped = replace(truth, tracks=(mixed(left, right), mixed(right, left)))
    found = measure_presence(truth, swapped)
    assert 0.4 < found.mistaken < 0.6
    absent = replace(left, confidence=np.where(half, 0, 1).astype(np.float32))
    absent.landmarks[half] = np.nan
    gone = measure_presence(truth, replace(truth, tracks=(absent, right)))
    assert gone.found == pytest.approx(0.75)
    # Not to be there at the end is no gap.
    assert gone.gaps == 0
    blinks = replace(left, confidence=(np.arange(100) % 10 > 1).astype(np.float32))
    assert measure_presence(truth, replace(truth, tracks=(blinks, right))).gaps == 9


@pytest.fixture(scope="module")
def trial(reconstructor: FaceReconstructor, tmp_path_factory: pytest.TempPathFactory) -> ClipTrial:
    plan = ClipPlan(seconds=4.0, width=480, height=270)
    return ClipTrial(plan, tmp_path_factory.mktemp("clips"), reconstructor, Strengths())


def test_a_turning_face_is_tracked_at_any_rate(trial: ClipTrial) -> None:
    """Timing and expression at the most irregular rate; the whole table takes the command."""
    report = trial.report(["turn"], ["variable"], lambda _: None)
    motion = report["motion"]["variable"]
    assert abs(motion["lag"]) < 0.5
    assert motion["rotation"] < 3
    assert motion["landmarks"] < 2.5
    assert motion["correlation"][0] > 0.7
    assert motion["coefficient"][0] == 0


def test_a_still_face_hardly_moves(trial: ClipTrial) -> None:
    sharp = replace(trial, plan=replace(trial.plan, seconds=4.0, width=1280, height=720))
    jitter = sharp.report(["still"], [], lambda _: None)["jitter"]
    assert jitter["smoothed"]["degrees"] <= 0.1
    assert jitter["smoothed"]["pixels"] <= 0.3
    assert jitter["raw"]["degrees"] > jitter["smoothed"]["degrees"]


@pytest.mark.parametrize("seed", [3, 4])
def test_who_leaves_slowly_leaves_once(trial: ClipTrial, seed: int) -> None:
    slow = replace(trial, plan=replace(trial.plan, seconds=8.0, seed=seed))
    presence = slow.report(["edge"], [], lambda _: None)["presence"]["edge"]
    assert (presence["tracks"], presence["gaps"]) == (1, 1)
    # Of a face of which half is outside, the picture shows too little.
    assert presence["found"] > 0.75
    assert presence["mistaken"] < 0.05


@pytest.mark.parametrize("scenario", ["leaving", "cut", "shots"])
def test_who_is_found_when(trial: ClipTrial, scenario: str) -> None:
    presence = trial.report([scenario], [], lambda _: None)["presence"][scenario]
    assert presence["tracks"] == presence["people"]
    assert presence["found"] > 0.9
    assert presence["mistaken"] < 0.05


def test_the_command_keeps_clips_and_prints_a_report(
    reconstructor: FaceReconstructor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "clip", "--seconds", "1", "--size", "320x180", "-o", str(tmp_path)]
    some = ["--scenario", "turn", "still", "--rate", "29.97", "--device", "cpu"]
    assert main([*command, *some, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["motion"]) == {"29.97"}
    assert len(report["motion"]["29.97"]["correlation"]) == 10
    assert set(report["jitter"]) == {"raw", "smoothed"}
    names = {path.name for path in tmp_path.iterdir()}
    assert {"turn_29.97.mp4", "turn_29.97.truth.npz", "still_25.mp4"} <= names
    assert main([*command, "--scenario", "dance"]) == 2
    assert main([*command, "--rate", "26"]) == 2
    assert main([*command, "--smooth", "2", "0", "0"]) == 2
    assert "rotation is 2.0" in capsys.readouterr().err
