"""Textures from photos that we painted ourselves, so the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from backend.geometry.normals import vertex_normals
from backend.morphable_model.model import MorphableModel
from backend.texture.baker import TextureBaker
from backend.texture.blend import extend
from backend.texture.uv_map import UvMap, texel_position
from backend.texture.visibility import visibility
from tests.backend.painted_head import SKIN, in_photo, painted, photograph, truth

SIZE = 512
FOREHEAD_AND_NECK_Y = 58, -100


@pytest.fixture(scope="module")
def baker(model: MorphableModel) -> TextureBaker:
    return TextureBaker.load(model, SIZE)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a - b) ** 2)))


def greenness(texture: np.ndarray) -> np.ndarray:
    color = texture.astype(float) / 255
    return color[..., 1] - color[..., 0]


def test_texels_know_their_place_on_the_surface(model: MorphableModel) -> None:
    uv_map = UvMap.of(model, 256)
    place = uv_map.spread(texel_position(model.uv, 256))
    rows, columns = np.nonzero(uv_map.inside)
    assert 0.5 < uv_map.inside.mean() < 1
    np.testing.assert_allclose(place[rows, columns], np.stack([columns, rows], 1), atol=0.01)
    edge = np.abs(place - np.stack(np.meshgrid(range(256), range(256)), -1)).max(axis=2)
    assert edge[~uv_map.inside].min() > 0


def test_mirroring_swaps_the_sides_of_the_face(model: MorphableModel) -> None:
    uv_map = UvMap.of(model, 256)
    x = uv_map.spread(model.mean[:, :1])[..., 0]
    off = np.abs(uv_map.mirror(x) + x)[uv_map.inside]
    assert np.percentile(off, 99) < 4
    assert off.mean() < 1
    assert x[uv_map.inside].std() > 20


@pytest.mark.parametrize("yaw", [0, 25, -40])
def test_recovers_what_the_photo_shows(baker: TextureBaker, yaw: float) -> None:
    model, colors = baker.model, painted(baker.model)
    photo, vertices = photograph(model, colors, yaw)
    facing = -vertex_normals(vertices, model.triangles)[:, 2] > 0.75
    plain = facing & (np.abs(model.mean[:, 1] + 10) < 55) & (model.mean[:, 2] > 60)
    seen = truth(baker, np.column_stack([plain, facing]))[..., 0] > 0.999
    assert seen.mean() > 0.05

    texture = baker.bake(photo, vertices)

    assert psnr(texture[seen] / 255, truth(baker, colors)[seen]) > 32


def test_eyes_are_where_the_eyes_are_and_not_mirrored(baker: TextureBaker) -> None:
    model, colors = baker.model, painted(baker.model)
    spots = {37: (0.9, 0.1, 0.1), 44: (0.1, 0.2, 0.9), 57: (0.2, 0.1, 0.1)}
    where = {mark: model.mean[model.landmark_indices[mark]] for mark in spots}
    for mark, color in spots.items():
        near = np.linalg.norm(model.mean - where[mark], axis=1) < 6
        colors[near] = color
    texture = baker.bake(*photograph(model, colors, 10)) / 255

    for mark, color in spots.items():
        u, v = model.uv[model.landmark_indices[mark]]
        found = texture[int((1 - v) * SIZE), int(u * SIZE)]
        np.testing.assert_allclose(found, color, atol=0.15)
    # The subject's right eye, on the image's left, is on the texture's left; the mouth is below.
    u, v = model.uv[model.landmark_indices].T
    assert u[37] < 0.5 < u[44]
    assert v[57] < min(v[37], v[44])


@pytest.mark.parametrize("yaw", [0, 35, -70])
def test_background_never_reaches_the_texture(baker: TextureBaker, yaw: float) -> None:
    photo, vertices = photograph(baker.model, painted(baker.model), yaw)
    # As if the fit were off by a hundredth of the head: the outline shows the wall.
    vertices = vertices + np.array([3, 2, 0], np.float32)
    texture = baker.bake(photo, vertices)
    assert greenness(texture).max() < 0
    departure = np.abs(texture / 255 - SKIN).mean(axis=(0, 1))
    assert (departure < 0.12).all()


def test_hair_and_cloth_give_way_to_skin(baker: TextureBaker) -> None:
    model, colors = baker.model, painted(baker.model)
    top, bottom = FOREHEAD_AND_NECK_Y
    covered = (model.mean[:, 1] > top) | (model.mean[:, 1] < bottom)
    colors[covered] = (0.10, 0.07, 0.06)
    texture = baker.bake(*photograph(model, colors, 0)) / 255

    hidden = truth(baker, covered[:, None])[..., 0] > 0.999
    brightness = texture[hidden & baker.chart.uv_map.inside].mean(axis=1)
    assert np.percentile(brightness, 2) > 0.35


def test_hidden_half_repeats_the_seen_one(baker: TextureBaker) -> None:
    model, colors = baker.model, painted(baker.model)
    brow = np.abs(np.abs(model.mean[:, 0]) - 30) < 12
    brow &= np.abs(model.mean[:, 1] - 44) < 4
    colors[brow] *= 0.3
    photo, vertices = photograph(model, colors, 55)
    seen = visibility(vertices, model, photo.shape[:2])
    hidden = brow & (seen == 0)
    assert hidden.sum() > 50
    weight = truth(baker, np.column_stack([hidden, ~brow & (seen == 0)]))
    texture = baker.bake(photo, vertices) / 255
    dark = texture[weight[..., 0] == 1].mean()
    assert dark < 0.6 * texture[weight[..., 1] == 1].mean()


def test_photo_in_twice_the_resolution_gives_the_same_texture(baker: TextureBaker) -> None:
    colors = painted(baker.model)
    texture = baker.bake(*photograph(baker.model, colors, 15, 480)).astype(float)
    finer = baker.bake(*photograph(baker.model, colors, 15, 2400)).astype(float)
    assert np.abs(texture - finer).mean() < 1.5


def test_face_outside_of_the_photo_gets_the_mean_face(baker: TextureBaker) -> None:
    photo, vertices = photograph(baker.model, painted(baker.model), 0)
    away = vertices + np.array([5000, 0, 0], np.float32)
    difference = baker.bake(photo, away) / 255 - baker.chart.mean_texture
    assert np.abs(difference).max() < 0.01


def test_visibility_knows_occlusion_outline_and_border(model: MorphableModel) -> None:
    vertices = in_photo(model, -50)
    seen = visibility(vertices, model, (480, 480))
    assert seen.min() == 0
    assert seen.max() == 1
    nearer, farther = sorted((36, 45), key=lambda mark: -vertices[model.landmark_indices[mark], 2])
    assert seen[model.landmark_indices[nearer]] > 0.5
    assert seen[model.landmark_indices[farther]] < 0.2

    frontal = in_photo(model, 0)
    outline = frontal[:, 0] < frontal[:, 0].min() + 4
    seen = visibility(frontal, model, (480, 480))
    assert seen[outline].max() == 0
    assert seen[model.landmark_indices[30]] == 1
    cut = visibility(frontal, model, (480, 200))
    assert cut[frontal[:, 0] > 199].max() == 0
    assert cut[model.landmark_indices[36]] > 0.5


def test_extension_keeps_the_known_and_is_smooth_elsewhere() -> None:
    rng = np.random.default_rng(0)
    values = np.full((64, 64, 2), 1e6, np.float32)
    weights = np.zeros((64, 64), np.float32)
    values[:20], weights[:20] = rng.random((20, 64, 2)), 1
    values[40:, 40:], weights[40:, 40:] = 3, 1
    filled = extend(values, weights)
    np.testing.assert_array_equal(filled[:20], values[:20])
    assert filled.min() >= 0
    assert filled.max() <= 3.0001
    assert np.abs(np.diff(filled[22:38], axis=0)).max() < 0.5


def test_mean_face_has_a_face(baker: TextureBaker) -> None:
    def around(mark: int) -> np.ndarray:
        u, v = baker.model.uv[baker.model.landmark_indices[mark]]
        row, column = int((1 - v) * SIZE), int(u * SIZE)
        return baker.chart.mean_texture[row - 3 : row + 4, column - 3 : column + 4].mean(
            axis=(0, 1)
        )

    cheek, lip, brow = around(29), around(57), around(19)
    assert lip[0] / lip[1] > 1.1 * cheek[0] / cheek[1]
    assert brow.mean() < 0.8 * cheek.mean()
    mirrored = baker.chart.uv_map.mirror(baker.chart.mean_texture)
    assert np.abs(mirrored - baker.chart.mean_texture)[baker.chart.uv_map.inside].mean() < 0.01
