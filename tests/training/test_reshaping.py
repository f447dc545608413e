"""Photos whose faces get other people's shapes: pixels and labels go together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.geometry.camera import image_from_crop_frame
from backend.geometry.pose import euler_angles, pose_from_parameters
from backend.morphable_model.model import MorphableModel
from tests.training.conftest import landmarks_of
from training.data.fitted_photos import FittedPhotos, read_fitted_photos
from training.data.held_out import is_held_out
from training.data.profiling.mouth import MouthInside
from training.data.profiling.reshaping import ReshapeRenderer
from training.data.profiling.turn import PhotoFace, reshape, turn
from training.data.rendered_views import render_views

SHAPE = slice(12, 52)
# Nose, eyes, corners of the mouth, chin.
INNER = [30, 33, 36, 39, 42, 45, 48, 54, 8]


def other_shape(model: MorphableModel, seed: int = 3) -> np.ndarray:
    """(40,) somebody whose landmarks lie far from the mean face's."""
    spread = 8 * model.parameter_std[SHAPE] * np.random.default_rng(seed).standard_normal(40)
    return (model.parameter_mean[SHAPE] + spread).astype(np.float32)


def test_pixels_and_labels_follow_the_shape(
    model: MorphableModel, mouth: MouthInside, face: PhotoFace
) -> None:
    """The colour at each landmark of the new shape says where it was in the photo."""
    shape = other_shape(model)
    view = turn(model, mouth, reshape(model, face, shape), 5, -4)
    assert np.array_equal(view.parameters[SHAPE], shape)
    assert np.array_equal(view.parameters[52:], face.parameters[52:])
    assert euler_angles(pose_from_parameters(view.parameters).rotation) == pytest.approx(
        (5, -4, 8), abs=0.2
    )
    projected = image_from_crop_frame(landmarks_of(model, view.parameters), view.box)
    assert np.abs(projected - view.landmarks)[:, :2].max() < 0.05
    before = face.vertices[model.landmark_indices]
    unchanged = turn(model, mouth, face, 5, -4)
    assert np.abs(view.landmarks - unchanged.landmarks)[INNER, :2].max() > 5
    for index in INNER:
        column, row = np.rint(view.landmarks[index, :2]).astype(int)
        apart = np.abs(view.picture[row, column, :2] - before[index, :2])
        assert apart.max() < 3, index


def test_what_is_far_from_the_head_stays(model: MorphableModel, face: PhotoFace) -> None:
    """The outline moves with the head, the border not at all, and in between less and less."""
    wider = replace(model, mean=model.mean * np.array([1.2, 1, 1], np.float32))
    moved = reshape(wider, face, face.parameters[SHAPE])
    rings = (moved.around.anchors - face.around.anchors).reshape(-1, 72, 3)
    along = np.abs(rings[..., 0]).max(axis=1)
    assert along[0] == pytest.approx(np.abs(moved.vertices - face.vertices)[:, 0].max(), rel=0.05)
    assert (np.diff(along) <= 0).all()
    assert along[-1] == 0
    assert np.array_equal(moved.samples, face.samples)


def test_shapes_come_from_the_same_side_of_the_split(photos: FittedPhotos) -> None:
    """Of forty people one in four is held out; each has a shape of their own to be known by."""
    people = np.array([f"person{number:02d}" for number in range(40)])
    rows = np.full(40, 1)
    parameters = np.repeat(photos.parameters[1:2], 40, axis=0)
    parameters[:, 12] = np.arange(40)
    many = replace(photos.subset(rows), identities=people, parameters=parameters)
    held_out = np.array([is_held_out(str(name), 4) for name in people])
    renderer = ReshapeRenderer(views=12, least=1.0, most=1.0, one_in=4)
    for index in (np.argmax(held_out), np.argmin(held_out)):
        worn = [round(float(view.parameters[12])) for view in renderer(many, int(index))]
        assert len(worn) == 12
        assert index not in worn
        assert (held_out[worn] == held_out[index]).all()


def test_without_anybody_else_nothing_is_made(photos: FittedPhotos) -> None:
    assert ReshapeRenderer()(photos.subset(np.array([0, 1])), 0) == []


def test_annotated_points_stay_beside_their_landmarks(
    model: MorphableModel, photos: FittedPhotos, tmp_path: Path
) -> None:
    """What people set some pixels off the fit stays as far off; the jaw is not known."""
    apart = np.random.default_rng(0).uniform(-3, 3, (3, 68, 2)).astype(np.float32)
    annotated = replace(photos, points=photos.landmarks[..., :2] + apart)
    annotated.parameters[2, SHAPE] = other_shape(model)
    target = tmp_path / "reshaped"
    assert render_views(annotated, ReshapeRenderer(2), target, "reshape", workers=1) == 6
    made = read_fitted_photos(target)
    assert made.points is not None
    assert np.isnan(made.points[:, :17]).all()
    for row, name in enumerate(made.names):
        photo = int(str(name).split("_")[2].split("-")[0])
        found = (made.points - made.landmarks[..., :2])[row, 17:]
        # Landmarks are as far apart in the picture as the pose's scale says.
        scale = np.linalg.norm(made.parameters[row, :3]) * np.ptp(made.boxes[row, ::2])
        scale /= np.linalg.norm(photos.parameters[photo, :3]) * np.ptp(photos.boxes[photo, ::2])
        assert found == pytest.approx(apart[photo, 17:] * scale, abs=0.01)
