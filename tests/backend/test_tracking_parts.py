"""Parts of tracking against closed forms."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from backend.geometry.pose import Pose, rotation_from_euler
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.tracking.history import History
from backend.tracking.identity import common_shape, people
from backend.tracking.refit import Poses, poses_of, refit
from backend.tracking.sighting import overlap, rigidity

N = 24


def head_parameters(
    rng: np.random.Generator, model: MorphableModel, alpha: np.ndarray
) -> np.ndarray:
    """(62,) of a random pose and expression in the middle of a crop."""
    rotation = rotation_from_euler(*rng.uniform(-30, 30, 3))
    matrix = np.column_stack([rotation * rng.uniform(4e-4, 5e-4), [60, 58, 0]])
    expression = rng.normal(0, 0.7, 10) * model.expression_sigma
    return np.concatenate([matrix.reshape(-1), alpha, expression]).astype(np.float32)


def landmarks_of(model: MorphableModel, parameters: np.ndarray, box: RoiBox) -> np.ndarray:
    """By the plain formula of the parameters, micrometres and all."""
    head = 1000 * (model.landmark_mean + model.landmark_basis @ parameters[12:])
    matrix = parameters[:12].reshape(3, 4)
    return box.to_image(head @ matrix[:, :3].T + matrix[:, 3])


@pytest.fixture(scope="module")
def seen(model: MorphableModel) -> tuple[History, np.ndarray]:
    """Sightings of one person and her shape."""
    rng = np.random.default_rng(3)
    alpha = (rng.normal(0, 0.6, 40) * model.shape_sigma).astype(np.float32)
    boxes = np.column_stack([rng.uniform(100, 500, (N, 2)), rng.uniform(90, 300, N), np.zeros(N)])
    parameters = np.array([head_parameters(rng, model, alpha) for _ in range(N)])
    marks = [
        landmarks_of(model, p, RoiBox(*box[:3]))
        for p, box in zip(parameters, boxes.tolist(), strict=True)
    ]
    history = History(
        row=np.arange(N),
        face=np.zeros(N, np.int64),
        box=boxes.astype(np.float32),
        parameters=parameters,
        landmarks=np.array(marks, np.float32),
        confidence=np.ones(N, np.float32),
        sharpness=np.ones(N, np.float32),
        colors=np.zeros((N, 192), np.uint8),
        coded=np.zeros((N, 0, 3), np.int16),
    )
    return history, alpha


def with_parameters(history: History, parameters: np.ndarray) -> History:
    return History(**{**vars(history), "parameters": parameters.astype(np.float32)})


def test_a_rotation_is_a_face_and_a_sheared_matrix_none() -> None:
    matrix = np.zeros((3, 4), np.float32)
    matrix[:, :3] = 5e-4 * rotation_from_euler(30, -20, 10)
    assert rigidity(matrix.reshape(-1)) == pytest.approx(1, abs=1e-4)
    matrix[:, :3] = np.diag([1.1, 1.0, 1.0])
    assert rigidity(matrix.reshape(-1)) == pytest.approx(1 - np.log(1.1) / np.log(1.25))
    matrix[:, :3] = np.diag([1.3, 1.0, 1.0])
    assert rigidity(matrix.reshape(-1)) == 0
    assert rigidity(np.zeros(12, np.float32)) == 0


def test_overlap_of_boxes() -> None:
    assert overlap(RoiBox(0, 0, 10), RoiBox(0, 0, 10)) == 1
    assert overlap(RoiBox(0, 0, 10), RoiBox(5, 0, 10)) == pytest.approx(1 / 3)
    assert overlap(RoiBox(0, 0, 10), RoiBox(10, 0, 10)) == 0


def test_poses_are_those_of_single_parameters_and_go_back(
    model: MorphableModel, seen: tuple[History, np.ndarray]
) -> None:
    history, alpha = seen
    poses = poses_of(history, model)
    scales = np.asarray(poses.pose.scale)
    for index in (0, 11):
        single = FaceParameters(history.parameters[index]).pose
        box = history.boxes[index]
        np.testing.assert_allclose(poses.pose.rotation[index], single.rotation, atol=1e-5)
        origin = box.to_image(single.translation[None])[0]
        np.testing.assert_allclose(poses.pose.translation[index], origin, atol=1e-3)
        assert scales[index] == pytest.approx(single.scale * box.side / 120, rel=1e-5)
    again = poses.parameters(history.boxes, alpha, model)
    np.testing.assert_allclose(again, history.parameters, rtol=1e-3, atol=1e-3)


def test_solving_again_finds_what_the_landmarks_say(
    model: MorphableModel, seen: tuple[History, np.ndarray]
) -> None:
    """The network errs by some degrees and half a standard deviation; the landmarks do not."""
    history, alpha = seen
    rng = np.random.default_rng(5)
    truth = poses_of(history, model)
    true = truth.pose
    turns = np.array([rotation_from_euler(*a) for a in rng.normal(0, 3, (N, 3))])
    wrong = Poses(
        Pose(
            turns @ true.rotation,
            true.scale * np.exp(rng.normal(0, 0.03, N)),
            true.translation + np.array([2, -1, 0]),
        ),
        truth.expression + rng.normal(0, 0.5, (N, 10)),
    )
    said = with_parameters(history, wrong.parameters(history.boxes, alpha, model))
    solved = refit(said, alpha, model)

    def degrees(poses: Poses) -> float:
        relative = poses.pose.rotation @ true.rotation.swapaxes(1, 2)
        cosine = (np.trace(relative, axis1=1, axis2=2) - 1) / 2
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())

    assert degrees(wrong) > 4
    # What the network said still counts a little.
    assert degrees(solved) < 0.2 * degrees(wrong)

    def apart(poses: Poses) -> float:
        """Of the mesh's landmarks, by the plain formula, from those given."""
        parameters = poses.parameters(history.boxes, alpha, model)
        marks = [landmarks_of(model, p, history.boxes[i]) for i, p in enumerate(parameters)]
        return float(np.abs(np.array(marks) - history.landmarks)[..., :2].mean())

    assert apart(solved) < 0.1 * apart(wrong)


def test_the_common_shape_is_not_drawn_away(
    model: MorphableModel, seen: tuple[History, np.ndarray]
) -> None:
    history, alpha = seen
    parameters = history.parameters.copy()
    parameters[: N // 4, 12:52] += 5 * model.shape_sigma
    shape = common_shape(with_parameters(history, parameters), model)
    away = np.abs((shape - alpha) / model.shape_sigma)
    assert away.max() < 0.2
    assert np.abs((parameters[:, 12:52].mean(axis=0) - alpha) / model.shape_sigma).min() > 1


def appearing(history: History, faces: list[int], colors: list[float]) -> History:
    """The same sightings in equal stretches, each another face of the tracker's."""
    stretch = np.arange(N) * len(faces) // N
    tints = np.repeat(np.array(colors, np.uint8)[stretch, None], 192, axis=1)
    return History(**{**vars(history), "face": np.array(faces)[stretch], "colors": tints})


def test_who_comes_back_is_known_again(
    model: MorphableModel, seen: tuple[History, np.ndarray]
) -> None:
    """One person, another one of other colours, and the first again."""
    history = appearing(seen[0], [0, 1, 2], [100, 160, 104])
    first, second = people(history, np.arange(N) / 25, model, {})
    assert set(first.face) == {0, 2}
    assert set(second.face) == {1}


def test_two_in_one_frame_are_two(model: MorphableModel, seen: tuple[History, np.ndarray]) -> None:
    history = appearing(seen[0], [0, 1], [100, 100])
    assert len(people(history, np.arange(N) / 25, model, {})) == 1
    together = History(**{**vars(history), "row": np.arange(N) % (N // 2)})
    assert len(people(together, np.arange(N) / 25, model, {})) == 2


def test_memory_hardly_grows_with_the_length_of_a_clip(
    seen: tuple[History, np.ndarray], model: MorphableModel
) -> None:
    """What telling people apart and solving again take beyond their result, for ten minutes."""
    history, alpha = seen
    long = history[np.arange(18_000) % N]
    tracemalloc.start()
    (person,) = people(long, np.arange(len(long)) / 30, model, {})
    poses = refit(person, alpha, model)
    result, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(poses.pose.rotation) == 18_000
    assert peak - result < 40 * 2**20
