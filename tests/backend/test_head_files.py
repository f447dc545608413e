"""Files and textures of whole heads, read by a reader of our own."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.spatial import KDTree

from backend.exchange.expressions import EXPRESSION_NAMES
from backend.head.dressed import DressedHead
from backend.head.eyes import LIMBUS
from backend.head.iris import eye_texture, find_iris
from backend.head.lid_skin import with_lid_skin
from backend.head.scalp import ScalpPainter
from backend.head.textures import BANDS, into_band, mouth_texture
from backend.head.whole import HeadShape, whole_head
from backend.morphable_model.model import N_VERTICES, MorphableModel
from backend.output.whole_files import whole_glb, whole_obj
from backend.output.whole_picture import render_whole
from backend.texture.uv_map import texel_position
from tests.backend.whole_head_shapes import drawn_keys, shape_of_everybody

SIZE = 256
AMOUNTS = {"jawOpen": 0.5}
COMPONENTS = {5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}
SKIN = np.array([200, 150, 120], np.uint8)


@pytest.fixture(scope="module")
def shape(model: MorphableModel) -> HeadShape:
    del model  # it has been fetched now
    return shape_of_everybody()


@pytest.fixture(scope="module")
def head(model: MorphableModel, shape: HeadShape) -> DressedHead:
    none = np.zeros_like(model.mean)
    keys = {name: drawn_keys(model).get(name, none) for name in EXPRESSION_NAMES}
    whole = whole_head(model, shape, model.mean, keys)
    picture = np.full((SIZE, SIZE, 3), SKIN)
    textures: dict[str, Any] = dict.fromkeys(("skin", "eye", "mouth", "scalp"), picture)
    return DressedHead(model.mean, keys, AMOUNTS, whole, textures, shape)


class Glb:
    """What a GLB file holds."""

    def __init__(self, data: bytes) -> None:
        size, _ = struct.unpack_from("<I4s", data, 12)
        self.tree: dict[str, Any] = json.loads(data[20 : 20 + size])
        self.binary = data[28 + size :]

    def view(self, index: int, dtype: str, count: int, width: int) -> np.ndarray:
        view = self.tree["bufferViews"][index]
        assert view["byteOffset"] % 4 == 0
        values = np.frombuffer(self.binary, dtype, count * width, view["byteOffset"])
        return values.reshape(count, width)

    def accessor(self, index: int) -> np.ndarray:
        entry = self.tree["accessors"][index]
        dtype, width = COMPONENTS[entry["componentType"]], WIDTHS[entry["type"]]
        if "bufferView" in entry:
            return self.view(entry["bufferView"], dtype, entry["count"], width)
        values = np.zeros((entry["count"], width), np.float32)
        if (sparse := entry.get("sparse")) is not None:
            rows, count = sparse["indices"], sparse["count"]
            places = self.view(rows["bufferView"], COMPONENTS[rows["componentType"]], count, 1)
            values[places[:, 0]] = self.view(sparse["values"]["bufferView"], "<f4", count, width)
        return values

    def mesh(self, name: str) -> Mapping[str, Any]:
        return next(mesh for mesh in self.tree["meshes"] if mesh["name"] == name)


def test_glb_names_52_keys_and_sets_them_as_the_photo_shows(
    model: MorphableModel, head: DressedHead
) -> None:
    glb = Glb(whole_glb(head, model))
    first = glb.tree["meshes"][0]
    (primitive,) = first["primitives"]
    assert first["name"] == "head"
    assert tuple(first["extras"]["targetNames"]) == EXPRESSION_NAMES
    assert first["weights"][EXPRESSION_NAMES.index("jawOpen")] == 0.5
    assert sum(first["weights"]) == 0.5
    points = glb.accessor(primitive["attributes"]["POSITION"])
    assert len(points) == N_VERTICES
    np.testing.assert_allclose(points, model.mean / 1000, atol=1e-7)
    uv = glb.accessor(primitive["attributes"]["TEXCOORD_0"])
    np.testing.assert_allclose(uv, model.uv * (1, -1) + (0, 1), atol=1e-6)
    for name, target in zip(EXPRESSION_NAMES, primitive["targets"], strict=True):
        expected = head.deltas[name] / 1000
        np.testing.assert_allclose(glb.accessor(target["POSITION"]), expected, atol=2.1e-5)
    triangles = glb.accessor(primitive["indices"]).reshape(-1, 3)
    # Readers drop vertices without a triangle; hidden ones have one without area.
    np.testing.assert_array_equal(np.unique(triangles), np.arange(N_VERTICES))
    drawn = triangles[triangles[:, 0] != triangles[:, 1]]
    np.testing.assert_array_equal(drawn, model.triangles[~head.whole.hidden])


def test_glb_holds_every_part_with_the_keys_that_move_it(
    model: MorphableModel, head: DressedHead
) -> None:
    glb = Glb(whole_glb(head, model))
    names = [glb.tree["nodes"][node]["name"] for node in glb.tree["scenes"][0]["nodes"]]
    assert names == ["head", *(part.name for part in head.whole.parts)]
    lower = glb.mesh("teeth_lower")
    assert lower["extras"]["targetNames"] == ["jawOpen"]
    assert lower["weights"] == [0.5]
    assert "weights" not in glb.mesh("teeth_upper")
    part = head.whole.part("teeth_lower")
    target = lower["primitives"][0]["targets"][0]["POSITION"]
    np.testing.assert_allclose(glb.accessor(target), part.deltas["jawOpen"] / 1000, atol=2.1e-5)
    material = glb.tree["materials"][lower["primitives"][0]["material"]]
    assert material["name"] == "mouth"
    assert len(whole_glb(head, model)) < 15e6


def test_obj_has_the_face_first_then_quads_of_the_parts(
    model: MorphableModel, head: DressedHead
) -> None:
    files = whole_obj(head, model)
    assert set(files) == {
        "head.obj", "head.mtl", "texture.png", "eye.png", "mouth.png", "scalp.png"
    }  # fmt: skip
    lines = files["head.obj"].decode().splitlines()
    objects = [line[2:] for line in lines if line.startswith("o ")]
    assert objects == ["head", *(part.name for part in head.whole.parts)]
    points = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    expected = model.mean + 0.5 * head.deltas["jawOpen"]
    np.testing.assert_allclose(points[:N_VERTICES], expected / 1000, atol=1e-6)
    faces = [line.split()[1:] for line in lines if line.startswith("f ")]
    assert max(int(corner.split("/")[0]) for face in faces for corner in face) == len(points)
    assert {len(face) for face in faces} == {3, 4}
    named = [line.split()[1] for line in lines if line.startswith("usemtl")]
    told = [line.split()[1] for line in files["head.mtl"].decode().splitlines() if "newmtl" in line]
    assert set(named) == set(told)


def test_a_render_shows_skin_from_all_sides(model: MorphableModel, head: DressedHead) -> None:
    for yaw, pitch in ((0, 0), (180, 0), (90, 0), (0, -75)):
        picture = render_whole(head, model, {}, yaw, pitch, 48).astype(float)
        middle = picture[20:28, 20:28].reshape(-1, 3).mean(axis=0)
        hue = middle / middle.sum()
        np.testing.assert_allclose(hue, SKIN / SKIN.sum(), atol=0.03)
        assert picture[0, 0].min() > 230


def test_a_plain_face_has_a_plain_scalp(model: MorphableModel, shape: HeadShape) -> None:
    painter = ScalpPainter(shape.skull, 64)
    painted = painter.paint(np.full((SIZE, SIZE, 3), SKIN), model.uv).astype(float)
    at = np.rint(texel_position(shape.skull.uv, 64)).astype(int)
    np.testing.assert_allclose(painted[at[:, 1], at[:, 0]], np.tile(SKIN, (len(at), 1)), atol=9)


def painted_eye(model: MorphableModel, shape: HeadShape, iris: tuple[int, int, int]) -> np.ndarray:
    """A skin-coloured texture with one eye's white and iris painted where the eye is."""
    texture = np.full((1024, 1024, 3), SKIN)
    patch = shape.patches[0]
    middle = model.mean[patch.loop, :2].mean(axis=0)
    seen = np.linalg.norm(model.mean[:, :2] - middle, axis=1)
    row, column = np.indices(texture.shape[:2])
    at = np.stack([column, row], axis=-1).reshape(-1, 2)
    place = texel_position(model.uv[patch.vertices], 1024)
    away, nearest = KDTree(place).query(at, distance_upper_bound=8)
    inside = np.isfinite(away)
    radius = seen[patch.vertices[np.asarray(nearest)[inside]]]
    flat = texture.reshape(-1, 3)
    flat[np.flatnonzero(inside)] = np.where((radius < LIMBUS)[:, None], iris, (230, 222, 214))
    return texture


def test_an_iris_is_found_in_its_colour(model: MorphableModel, shape: HeadShape) -> None:
    for color in ((70, 100, 140), (90, 60, 40)):
        texture = painted_eye(model, shape, color)
        found = find_iris(texture, model, model.mean, shape.patches[0])
        assert found is not None
        hue = np.median(found.polar, axis=(0, 1))
        np.testing.assert_allclose(hue / hue.sum(), np.array(color) / sum(color), atol=0.03)
        assert found.light > 0.9
    plain = np.full((1024, 1024, 3), SKIN)
    assert find_iris(plain, model, model.mean, shape.patches[0]) is None


def test_an_eyes_texture_is_dark_then_coloured_then_white() -> None:
    picture = eye_texture(size=128).astype(float)
    across = picture[64, 64:]
    assert across[:6].max() < 40
    assert 40 < across[20].mean() < 140
    assert across[36].min() > 190


def test_skin_takes_the_place_of_a_painted_eye_and_of_nothing_else(
    model: MorphableModel, shape: HeadShape
) -> None:
    texture = painted_eye(model, shape, (70, 100, 140))
    made = with_lid_skin(texture, model.uv, shape.patches)
    patch = shape.patches[0]
    at = np.rint(texel_position(model.uv[patch.vertices], 1024)).astype(int)
    np.testing.assert_allclose(
        made[at[:, 1], at[:, 0]].astype(int), np.tile(SKIN, (len(at), 1)), atol=12
    )
    far = np.setdiff1d(np.arange(N_VERTICES), np.concatenate([p.near for p in shape.patches]))
    at = np.rint(texel_position(model.uv[far], 1024)).astype(int)
    changed = (made != texture).any(axis=-1)[at[:, 1], at[:, 0]]
    assert changed.mean() < 0.01


def test_the_mouths_parts_have_bands_of_their_own() -> None:
    unit = np.array([[0.0, 0.0], [1.0, 1.0]])
    spans = sorted(tuple(into_band(unit, band)[:, 1]) for band in BANDS.values())
    assert all(high < low for (_, high), (low, _) in pairwise(spans))
    picture = mouth_texture(64)
    rows = {name: int((1 - sum(band) / 2) * 64) for name, band in BANDS.items()}
    brightness = {name: picture[row].mean() for name, row in rows.items()}
    assert max(brightness, key=brightness.__getitem__) == "teeth"
    assert min(brightness, key=brightness.__getitem__) == "cavity"


def test_hidden_triangles_are_the_eyes_patches(head: DressedHead, shape: HeadShape) -> None:
    hidden = np.flatnonzero(head.whole.hidden)
    expected = np.concatenate([patch.triangles for patch in shape.patches])
    np.testing.assert_array_equal(hidden, np.sort(expected))
    assert replace(head, amounts={}).face_at({}) is not head.neutral
