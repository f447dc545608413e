"""Drawn clips: what is written is what the truth says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from backend.cli import main
from backend.geometry.pose import Pose, euler_angles
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.tracking.track import TrackedClip
from tests.training.conftest import landmarks_of
from training.evaluation.clips.drawing import Camera, posed
from training.evaluation.clips.file import ClipPlan, draw_clip, truth_path
from training.evaluation.clips.scenarios import SCENARIOS, Scene, Stage
from training.evaluation.clips.truth import read_truth

SMALL = ClipPlan(seconds=1.0, width=320, height=180)


@pytest.fixture(scope="module")
def drawn(model: MorphableModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "turn.mp4"
    draw_clip(SMALL, model, path)
    return path


@pytest.fixture(scope="module")
def truth(drawn: Path) -> TrackedClip:
    return read_truth(truth_path(drawn))


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def scene_of(model: MorphableModel, scenario: str, n: int = 60) -> Scene:
    stage = Stage(model, np.arange(n) / 10, 640, 360, np.random.default_rng(1))
    return SCENARIOS[scenario](stage)


def test_the_truth_agrees_with_itself(model: MorphableModel, truth: TrackedClip) -> None:
    """Parameters by the plain formula, and the pose on the head, both give the landmarks."""
    (track,) = truth.tracks
    for row in (0, 12, 24):
        box = RoiBox.from_corners(*track.roi_boxes[row].tolist())
        points = box.to_image(landmarks_of(model, track.parameters[row]))
        np.testing.assert_allclose(points, track.landmarks[row], atol=0.01)
        around = RoiBox.around(track.landmarks[row])
        np.testing.assert_allclose(box.corners, around.corners, atol=0.01)
        alpha_exp = track.expression[row] * model.expression_sigma
        head = model.vertices(track.alpha_shape, alpha_exp)[model.landmark_indices]
        pose = Pose(track.rotation[row], float(track.scale[row]), np.zeros(3))
        posed_points = pose.apply(head) * [1, -1, 1] + track.translation[row]
        np.testing.assert_allclose(posed_points, track.landmarks[row], atol=0.01)


def test_yaw_goes_to_45_degrees_and_the_nose_with_it(truth: TrackedClip) -> None:
    (track,) = truth.tracks
    yaw = np.array([euler_angles(rotation)[0] for rotation in track.rotation])
    np.testing.assert_allclose(yaw, 45 * np.sin(2 * np.pi * truth.times / 4), atol=1e-3)
    eyes = track.landmarks[:, [36, 45], 0].mean(axis=1)
    beside = (track.landmarks[:, 30, 0] - eyes) / track.scale
    assert np.corrcoef(beside, -np.sin(np.radians(yaw)))[0, 1] > 0.99


@pytest.mark.parametrize("rate", ["23.976", "29.97", "60", "variable"])
def test_frames_are_shown_when_the_truth_says(
    model: MorphableModel, tmp_path: Path, rate: str
) -> None:
    truth = draw_clip(replace(SMALL, rate=rate, width=64, height=64), model, tmp_path / "a.mp4")
    frames = frames_of(tmp_path / "a.mp4")
    np.testing.assert_allclose([frame.time for frame in frames], truth.times, atol=1e-6)
    with av.open(str(tmp_path / "a.mp4")) as container:
        average = float(container.streams.video[0].average_rate or 0)
    lengths = np.diff(truth.times)
    if rate == "variable":
        assert lengths.max() > 2 * lengths.min()
    else:
        nominal = {"23.976": 24_000 / 1001, "29.97": 30_000 / 1001, "60": 60.0}[rate]
        np.testing.assert_allclose(1 / lengths, nominal, rtol=1e-3)
        assert average == pytest.approx(nominal, rel=1e-4)
        assert truth.info.frame_rate == pytest.approx(nominal, rel=1e-4)


def test_the_head_is_where_the_truth_says(
    model: MorphableModel, drawn: Path, truth: TrackedClip
) -> None:
    """What differs from an empty picture is the silhouette of the posed vertices."""
    scene = SCENARIOS["turn"](
        Stage(model, truth.times, SMALL.width, SMALL.height, np.random.default_rng(SMALL.seed))
    )
    empty = replace(
        scene, people=tuple(replace(p, present=np.zeros(25, bool)) for p in scene.people)
    )
    behind = next(Camera(model, SMALL.width, SMALL.height, SMALL.seed).frames(empty))
    picture = frames_of(drawn)[20].to_ndarray(format="rgb24")
    changed = np.abs(picture.astype(int) - behind).max(axis=2) > 25
    _, vertices = posed(model, scene.people[0], 20)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    found = [columns[0], rows[0], columns[-1], rows[-1]]
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    np.testing.assert_allclose(found, [*low, *high], atol=2.0)


@pytest.mark.parametrize("scenario", ["gap", "leaving"])
def test_somebody_is_away_in_the_middle(model: MorphableModel, scenario: str) -> None:
    (person,) = scene_of(model, scenario).people
    changes = np.flatnonzero(np.diff(person.present))
    assert len(changes) == 2
    assert person.present[0] and person.present[-1]
    assert 0.1 * 60 < changes[1] - changes[0] < 0.5 * 60


def test_shots_change_people_and_a_cut_changes_the_view(model: MorphableModel) -> None:
    shots = scene_of(model, "shots")
    first, second = shots.people
    np.testing.assert_array_equal(first.present, shots.shots == 0)
    np.testing.assert_array_equal(second.present, shots.shots == 1)
    assert np.diff(shots.shots)[np.diff(shots.shots) != 0].tolist() == [1, -1]
    cut = scene_of(model, "cut")
    (at,) = np.flatnonzero(np.diff(cut.shots))
    moved = np.linalg.norm(np.diff(cut.people[0].place, axis=0), axis=1)
    assert moved.argmax() == at


def test_people_who_cross_change_places_and_the_larger_is_in_front(model: MorphableModel) -> None:
    left, right = scene_of(model, "crossing").people
    assert left.place[0, 0] < right.place[0, 0]
    assert left.place[-1, 0] > right.place[-1, 0]
    assert (left.scale > right.scale).all()


def test_a_seed_gives_the_same_clip(model: MorphableModel, drawn: Path, tmp_path: Path) -> None:
    """Up to the encoder, which on a busy computer decides a little otherwise."""
    again, other = tmp_path / "again.mp4", tmp_path / "other.mp4"
    draw_clip(SMALL, model, again)
    draw_clip(replace(SMALL, seed=SMALL.seed + 1), model, other)
    first, same, different = (
        frames_of(path)[7].to_ndarray(format="rgb24").astype(int) for path in (drawn, again, other)
    )
    assert np.abs(first - same).mean() < 2
    assert np.abs(first - different).mean() > 10


def test_the_command_draws_a_clip(
    model: MorphableModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "folder" / "still.mp4"
    command = ["data", "clip", "--seconds", "0.4", "--size", "128x96", "--scenario", "still"]
    assert main([*command, "-o", str(path)]) == 0
    assert "10 frames" in capsys.readouterr().out
    assert sorted(p.name for p in path.parent.iterdir()) == ["still.mp4", "still.truth.npz"]
    truth = read_truth(truth_path(path))
    assert np.ptp(truth.tracks[0].landmarks, axis=0).max() == 0
    wrong = {
        ("--scenario", "dance"): "'dance'",
        ("--rate", "26"): "'26'",
        ("--size", "127x96"): "even",
        ("--seconds", "0"): "0 seconds",
    }
    for option, message in wrong.items():
        assert main([*command, *option, "-o", str(tmp_path / "no.mp4")]) == 2
        assert message in capsys.readouterr().err
    assert main([*command, "-o", str(tmp_path / "no.txt")]) == 2
    assert not list(tmp_path.glob("no*"))


def test_a_file_that_holds_no_truth_is_refused(tmp_path: Path) -> None:
    from backend.errors import BadInputError

    np.savez(tmp_path / "other.npz", times=np.zeros(3))
    with pytest.raises(BadInputError, match="lacks frames"):
        read_truth(tmp_path / "other.npz")
