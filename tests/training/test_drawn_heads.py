"""Heads drawn with a photo's skin: what is drawn is what the labels say."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from backend.geometry import rasterizer
from backend.geometry.pose import euler_angles
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from tests.training.conftest import landmarks_of, random_parameters
from training.data.drawn_heads import HeadRenderer
from training.data.fitted_photos import FittedPhotos
from training.data.rendered_views import View
from training.data.shards import CONTEXT, STORED_SIZE

VIEWS = 12
SKIN = (200, 140, 110)


@pytest.fixture(scope="module")
def photos(model: MorphableModel, tmp_path_factory: pytest.TempPathFactory) -> FittedPhotos:
    """Two photos of nothing but skin."""
    folder = tmp_path_factory.mktemp("photos")
    names = np.array(["ann.png", "bob.png"])
    for name in names:
        Image.fromarray(np.full((240, 240, 3), SKIN, np.uint8)).save(folder / name)
    box = RoiBox(120, 118, 150)
    parameters = random_parameters(model, 2, seed=5)
    landmarks = [box.to_image(landmarks_of(model, p)) for p in parameters]
    boxes = np.tile(np.array(box.corners, np.float32), (2, 1))
    return FittedPhotos(
        "skin", folder, names, names, boxes, parameters, np.stack(landmarks).astype(np.float32)
    )


@pytest.fixture(scope="module")
def views(photos: FittedPhotos) -> list[View]:
    return HeadRenderer(VIEWS, seed=1)(photos, 0)


def test_labels_agree_with_each_other(
    model: MorphableModel, photos: FittedPhotos, views: list[View]
) -> None:
    assert len(views) == VIEWS
    for view in views:
        np.testing.assert_array_equal(view.parameters[12:52], photos.parameters[0, 12:52])
        placed = view.box.to_image(landmarks_of(model, view.parameters))
        np.testing.assert_allclose(view.landmarks, placed, atol=2e-2)
        around = RoiBox.around(view.landmarks)
        assert around.side == pytest.approx(STORED_SIZE / CONTEXT, abs=0.02)
        assert (around.x, around.y) == pytest.approx((STORED_SIZE / 2, STORED_SIZE / 2), abs=0.02)
        angles = euler_angles(FaceParameters(view.parameters).pose.rotation)
        assert angles == pytest.approx(view.angles, abs=0.02)
    expressions = np.stack([view.parameters[52:] for view in views])
    assert np.unique(expressions.round(3), axis=0).shape[0] == VIEWS


def test_skin_is_drawn_where_the_labels_say(model: MorphableModel, views: list[View]) -> None:
    """By the other rasteriser; plain skin keeps the photo's colour, up to the light's tint."""
    expected = np.array(SKIN) / np.sum(SKIN)
    for view in views:
        head = model.vertices(view.parameters[12:52], view.parameters[52:])
        vertices = FaceParameters(view.parameters).to_image(head, view.box)
        fragments = rasterizer.rasterize(vertices, model.triangles, STORED_SIZE, STORED_SIZE)
        seen = view.picture[fragments.covered].astype(float)
        shares = np.median(seen, axis=0) / np.median(seen, axis=0).sum()
        np.testing.assert_allclose(shares, expected, atol=0.06)


def test_some_mouths_are_closed_and_none_is_inside_out(
    model: MorphableModel, photos: FittedPhotos
) -> None:
    parameters = [v.parameters for v in HeadRenderer(60, seed=3)(photos, 1)]
    heads = [model.vertices(p[12:52], p[52:])[model.landmark_indices] for p in parameters]
    openings = np.array([(h[[61, 62, 63], 1] - h[[67, 66, 65], 1]).mean() for h in heads])
    assert openings.min() > 0.98
    assert 0.15 < (openings < 2.8).mean() < 0.75
    assert openings.max() > 6


def test_the_same_photo_gives_the_same_heads(photos: FittedPhotos, views: list[View]) -> None:
    again = HeadRenderer(VIEWS, seed=1)(photos, 0)
    np.testing.assert_array_equal(again[3].picture, views[3].picture)
    other = HeadRenderer(VIEWS, seed=2)(photos, 0)
    assert np.abs(other[3].parameters - views[3].parameters).max() > 0
