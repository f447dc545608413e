"""Views turned out of the plane: what is drawn where, and that labels follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.geometry import rasterizer
from backend.geometry.pose import euler_angles, rotation_from_euler
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.vision.crop import crop
from tests.training.conftest import landmarks_of
from training.data.face_swap import SwapRenderer
from training.data.fitted_photos import FittedPhotos, read_fitted_photos
from training.data.held_out import is_held_out
from training.data.profiling.mouth import MouthInside
from training.data.profiling.turn import PhotoFace, photo_face, turn
from training.data.profiling.views import ProfileRenderer
from training.data.profiling.zbuffer import draw
from training.data.rendered_views import render_views
from training.data.shards import CONTEXT, STORED_SIZE

SIZE = 240
BOX = RoiBox(120, 118, 150)


def parameters_at(
    model: MorphableModel, yaw: float, pitch: float = 0, roll: float = 0
) -> np.ndarray:
    """(62,) of the mean face in the crop frame."""
    matrix = np.column_stack([rotation_from_euler(yaw, pitch, roll) * 5e-4, [61, 70, -66.67]])
    return np.concatenate([matrix.reshape(-1), model.parameter_mean[12:]]).astype(np.float32)


def coded_photo() -> np.ndarray:
    """Every pixel's colour says where it is: red is x, green is y."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([x, y, np.full_like(x, 60)], axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def mouth(model: MorphableModel) -> MouthInside:
    return MouthInside.of(model)


@pytest.fixture(scope="module")
def face(model: MorphableModel) -> PhotoFace:
    return photo_face(model, coded_photo(), parameters_at(model, 5, -4, 8), BOX)


def test_compiled_and_numpy_rasterisers_agree(model: MorphableModel, face: PhotoFace) -> None:
    """Two implementations, one picture; only pixels on an edge may differ."""
    attributes = np.concatenate([model.uv, model.mean], axis=1)
    picture, depth = draw(face.vertices, model.triangles, attributes, SIZE)
    fragments = rasterizer.rasterize(face.vertices, model.triangles, SIZE, SIZE)
    expected = rasterizer.interpolate(fragments, model.triangles, attributes)
    both = fragments.covered & np.isfinite(depth)
    assert both.sum() > 8000
    assert (fragments.covered != np.isfinite(depth)).mean() < 1e-3
    assert (np.abs(picture[both] - expected[both]).max(axis=1) < 1e-2).mean() > 0.998


def test_mouth_is_the_small_border(model: MorphableModel, mouth: MouthInside) -> None:
    """design: two boundary loops, 512 and 78 vertices; the mouth lies between the inner lips."""
    assert len(mouth.border) == len(mouth.triangles) == 78
    lips = model.landmark_mean[60:68]
    middle = model.mean[mouth.border].mean(axis=0)
    assert (middle[:2] > lips[:, :2].min(axis=0) - 3).all()
    assert (middle[:2] < lips[:, :2].max(axis=0) + 3).all()


@pytest.mark.parametrize(("yaw", "pitch"), [(5.0, -4.0), (40.0, -4.0), (75.0, 15.0), (-90.0, 0.0)])
def test_parameters_follow_the_turn(
    model: MorphableModel, mouth: MouthInside, face: PhotoFace, yaw: float, pitch: float
) -> None:
    view = turn(model, mouth, face, yaw, pitch)
    found = euler_angles(FaceParameters(view.parameters).pose.rotation)
    assert found[0] == pytest.approx(yaw, abs=0.05)
    if abs(yaw) < 89:
        assert found[1:] == pytest.approx((pitch, 8), abs=0.2)
    projected = view.box.to_image(landmarks_of(model, view.parameters))
    assert np.abs(projected - view.landmarks)[:, :2].max() < 0.05
    roi = RoiBox.around(view.landmarks)
    assert (roi.x, roi.y, roi.side) == pytest.approx(
        (view.box.x, view.box.y, view.box.side), abs=0.01
    )
    assert view.box.side == pytest.approx(STORED_SIZE / CONTEXT)


def test_a_turn_to_the_same_pose_is_the_photo(
    model: MorphableModel, mouth: MouthInside, face: PhotoFace
) -> None:
    view = turn(model, mouth, face, 5, -4)
    roi = RoiBox.around(face.vertices[model.landmark_indices])
    expected = crop(face.image, RoiBox(roi.x, roi.y, roi.side * CONTEXT), STORED_SIZE)
    middle = slice(STORED_SIZE // 3, 2 * STORED_SIZE // 3)
    difference = np.abs(view.picture[middle, middle].astype(int) - expected[middle, middle])
    assert difference.mean() < 2.5


def test_pixels_follow_the_surface(
    model: MorphableModel, mouth: MouthInside, face: PhotoFace
) -> None:
    """At 40 degrees the colour at a visible landmark says where it was in the photo."""
    view = turn(model, mouth, face, 40, -4)
    before = face.vertices[model.landmark_indices]
    # Nose, eye and mouth corner on the side that turns to the viewer, and the chin.
    visible = [30, 31, 33, 36, 39, 48, 8]
    if (
        view.landmarks[45, 0] - view.landmarks[42, 0]
        > view.landmarks[39, 0] - view.landmarks[36, 0]
    ):
        visible = [30, 35, 33, 45, 42, 54, 8]
    for index in visible:
        column, row = np.rint(view.landmarks[index, :2]).astype(int)
        assert view.picture[row, column, :2] == pytest.approx(before[index, :2], abs=6), index


def test_what_the_nose_hides_is_not_seen(
    model: MorphableModel, mouth: MouthInside, face: PhotoFace
) -> None:
    """In profile the far eye's place shows something nearer."""
    view = turn(model, mouth, face, 80, -4)
    before = face.vertices[model.landmark_indices]
    far = 45 if view.landmarks[45, 2] < view.landmarks[36, 2] else 36
    x, y = np.rint(view.landmarks[far, :2]).astype(int)
    assert np.abs(view.picture[y, x, 0] - before[far, 0]) > 15


def test_views_go_further_to_the_same_side(model: MorphableModel) -> None:
    renderer = ProfileRenderer(views=8)
    turned = renderer.angles("a.jpg", parameters_at(model, -30))
    assert (turned[:, 0] < -29.9).all()
    assert (np.diff(np.sort(-turned[:, 0])) < 2 * 60 / 8).all()
    assert turned[:, 0].min() < -82
    frontal = renderer.angles("a.jpg", parameters_at(model, 3))
    assert (frontal[:, 0] > 0).sum() == (frontal[:, 0] < 0).sum() == 4
    assert (np.abs(turned[:, 1]) <= 45).all()
    assert np.array_equal(turned, renderer.angles("a.jpg", parameters_at(model, -30)))
    assert not np.array_equal(turned, renderer.angles("b.jpg", parameters_at(model, -30)))


@pytest.fixture
def photos(model: MorphableModel, tmp_path: Path) -> FittedPhotos:
    """Three photos of two people: a coded one, and two of one colour."""
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    pictures = [coded_photo(), np.full((SIZE, SIZE, 3), 90, np.uint8)]
    pictures.append((coded_photo() // 2 + 100).astype(np.uint8))
    names = np.array(["one_0.png", "one_1.png", "two_0.png"])
    for name, picture in zip(names, pictures, strict=True):
        Image.fromarray(picture).save(folder / name)
    parameters = np.stack([parameters_at(model, yaw) for yaw in (2.0, 3.0, -1.0)])
    landmarks = np.stack([BOX.to_image(landmarks_of(model, p)) for p in parameters])
    boxes = np.tile(np.array(BOX.corners, np.float32), (3, 1))
    return FittedPhotos(
        "coded",
        folder,
        names,
        np.array(["one", "one", "two"]),
        boxes,
        parameters,
        landmarks.astype(np.float32),
    )


def test_views_are_a_set_again_and_not_made_twice(photos: FittedPhotos, tmp_path: Path) -> None:
    target = tmp_path / "views"
    renderer = ProfileRenderer(views=2)
    assert render_views(photos, renderer, target, "profile", workers=1) == 6
    views = read_fitted_photos(target)
    assert views.identities.tolist() == ["one"] * 4 + ["two"] * 2
    assert len(set(views.names.tolist())) == 6
    assert {name[:5] for name in views.names.tolist()} == {"one_0", "one_1", "two_0"}
    times = {path: path.stat().st_mtime_ns for path in target.iterdir()}
    assert render_views(photos, renderer, target, "profile", workers=1) == 6
    assert times == {path: path.stat().st_mtime_ns for path in target.iterdir()}
    assert not (target / "parts").exists()


def test_faces_of_one_photo_do_not_share_a_picture(photos: FittedPhotos, tmp_path: Path) -> None:
    """Two rows with the same name, as `annotate --all` makes them."""
    twice = photos.subset(np.array([0, 0]))
    renderer = ProfileRenderer(views=1, largest_yaw=2.0, pitch=0.0)
    assert render_views(twice, renderer, tmp_path / "twice", "profile", workers=1) == 2
    assert len(set(read_fitted_photos(tmp_path / "twice").names.tolist())) == 2


def test_swapping_changes_the_face_and_nothing_else(
    model: MorphableModel, photos: FittedPhotos
) -> None:
    renderer = SwapRenderer()
    assert renderer.donors(photos, 0).tolist() == [2]
    (view,) = renderer(photos, 0)
    assert np.array_equal(view.parameters, photos.parameters[0])
    projected = view.box.to_image(landmarks_of(model, view.parameters))
    assert np.abs(projected - view.landmarks)[:, :2].max() < 0.05
    own = crop(coded_photo(), RoiBox(BOX.x, BOX.y, BOX.side * CONTEXT), STORED_SIZE)
    changed = np.abs(view.picture.astype(int) - own).max(axis=2)
    assert np.median(changed[:20]) <= 1
    x, y = np.rint(view.landmarks[27:36, :2].mean(axis=0)).astype(int)
    assert changed[y - 5 : y + 5, x - 5 : x + 5].mean() > 1


def test_people_held_out_lend_their_skin_to_each_other_only(photos: FittedPhotos) -> None:
    """Of forty people one in four: a training picture must show nobody of the other side."""
    people = np.array([f"person{number:02d}" for number in range(40)])
    rows = np.zeros(40, int)
    many = replace(photos.subset(rows), identities=people)
    held_out = np.array([is_held_out(str(name), 4) for name in people])
    assert 4 < held_out.sum() < 20
    renderer = SwapRenderer(views=40, one_in=4)
    for index in range(40):
        donors = renderer.donors(many, index)
        others = np.flatnonzero(held_out == held_out[index])
        assert sorted(donors) == [row for row in others if row != index]


def test_nobody_swaps_with_himself(photos: FittedPhotos) -> None:
    alone = photos.subset(np.array([0, 1]))
    assert SwapRenderer()(alone, 0) == []
