"""Whole heads: 52 named keys, parts beside the face that its sliders drive; with the fake dome."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import bpy
import fake_head
import numpy as np
import pytest
from conftest import heads_in, ops, slowness, submodule
from fake_backend import IMAGE_SIZE, contract, dome, face, whole_head
from fake_head import SHAPES
from test_scene import evaluated, put

SMILE = {"mouthSmileLeft": 0.5, "jawOpen": 0.25}


@pytest.fixture
def head(scene: bpy.types.Scene) -> Any:
    """A whole head that smiles, chosen."""
    [made] = put(scene, face(100, parts=True, amounts=SMILE))
    bpy.context.view_layer.update()
    made.select_set(True)
    bpy.context.view_layer.objects.active = made
    return made


def parts_of(head: Any) -> dict[str, Any]:
    return submodule("scene.parts").parts_of(head)


def names() -> list[str]:
    return list(submodule("exchange.expressions").EXPRESSION_NAMES)


def express(head: Any, **values: float) -> None:
    submodule("head").Head.of(head).express(values)
    bpy.context.view_layer.update()


def expected_part(name: str, values: dict[str, float], wide: float = 1.0) -> np.ndarray:
    """(V, 3) by the fake's own formulas."""
    points = SHAPES[name][0][0]
    moved = sum(value * fake_head.part_moves(name, key, points) for key, value in values.items())
    return points * [wide, 1, 1] + moved


def test_a_whole_head_has_the_52_keys_and_the_photos_expression(head: Any) -> None:
    blocks = head.data.shape_keys.key_blocks
    assert [key.name for key in blocks][1:] == names()
    values = {key.name: key.value for key in list(blocks)[1:] if key.value}
    assert values == pytest.approx(SMILE)
    assert {(key.slider_min, key.slider_max) for key in list(blocks)[1:]} == {(0, 1)}
    head.modifiers.clear()
    mean = dome().mean
    moved = sum(value * fake_head.moves(name, mean) for name, value in SMILE.items())
    np.testing.assert_allclose(evaluated(head), mean + moved, atol=1e-6)


def test_the_parts_are_there_as_sent(head: Any) -> None:
    parts, model = parts_of(head), dome()
    assert set(parts) == set(SHAPES)
    assert parts["eye_left"].name == "somebody left eye" and parts["skull"].name == "somebody skull"
    for name, part in parts.items():
        assert part.parent == head.parent and list(part.users_collection) == list(
            head.users_collection
        )
        sizes = [polygon.loop_total for polygon in part.data.polygons]
        assert sizes == model.parts[name].sizes.tolist()
        assert all(polygon.use_smooth for polygon in part.data.polygons)
        uv = np.array([loop.uv[:] for loop in part.data.uv_layers[0].data])
        static = model.parts[name]
        np.testing.assert_allclose(uv, static.uv[static.corners], atol=1e-6)
        np.testing.assert_allclose(evaluated(part), expected_part(name, SMILE), atol=1e-6)
    assert parts["skull"].data.materials[0] == head.data.materials[0]
    assert parts["teeth_upper"].data.materials[0] == parts["teeth_lower"].data.materials[0]
    looks = {name: part.data.materials[0].name for name, part in parts.items()}
    assert looks["eye_left"] == looks["eye_right"] == "somebody eye"
    pictures = {image.name for image in bpy.data.images if image.packed_file}
    assert pictures == {"somebody texture", "somebody eye texture", "somebody mouth texture"}


def test_only_keys_that_move_a_part_are_its_own_and_the_face_drives_them(head: Any) -> None:
    parts = parts_of(head)
    keys = {
        name: [] if part.data.shape_keys is None else part.data.shape_keys.key_blocks.keys()[1:]
        for name, part in parts.items()
    }
    assert keys["tongue"] == ["jawOpen", "tongueOut"] and keys["eye_left"] == ["eyeLookOutLeft"]
    assert keys["skull"] == keys["cavity"] == keys["teeth_upper"] == []
    wanted = {"jawOpen": 1.0, "tongueOut": 0.5, "eyeLookOutLeft": 1.0, "mouthSmileLeft": 0.0}
    express(head, **wanted)
    for name, part in parts.items():
        np.testing.assert_allclose(evaluated(part), expected_part(name, wanted), atol=1e-6)
    for part in parts.values():
        animation = part.data.shape_keys and part.data.shape_keys.animation_data
        for curve in animation.drivers if animation else ():
            # So that they run where scripts in files may not.
            assert curve.driver.type == "SUM" and curve.driver.is_valid
            assert curve.driver.is_simple_expression is False or not curve.driver.expression


def test_the_face_makes_room_for_eyes_and_mouth(head: Any, scene: bpy.types.Scene) -> None:
    model, show = dome(), submodule("scene.parts").show
    assert len(head.data.polygons) == len(model.triangles)
    [mask] = head.modifiers
    assert (mask.type, mask.vertex_group, mask.use_smooth) == ("MASK", "eye_patches", True)
    hidden = model.mean[model.regions["eye_patches"] > 0]
    assert not {tuple(point) for point in hidden} & {tuple(point) for point in evaluated(head)}
    show(head, "eyes", False)
    assert not head.modifiers and parts_of(head)["eye_left"].hide_render
    show(head, "eyes", True)
    assert [m.type for m in head.modifiers] == ["MASK"]
    assert not parts_of(head)["eye_left"].hide_viewport
    [alone] = put_source(scene, "/photos/other.png", face(100, amounts=SMILE))
    assert not alone.modifiers and not parts_of(alone)
    assert len(alone.data.polygons) == len(model.triangles) + len(model.mouth)
    assert alone.data.materials[1].name == "Mouth" and len(head.data.materials) == 1


def put_source(scene: Any, source: str, *faces: Any) -> list[Any]:
    result = contract.FacesResult(faces, IMAGE_SIZE)
    put_faces = submodule("scene.build").put_faces
    return put_faces(scene, scene.collection, source, "somebody", dome(), result)


def test_parts_count_as_their_head(head: Any, scene: bpy.types.Scene) -> None:
    eye, cls = parts_of(head)["eye_left"], submodule("head").Head
    assert cls.of(eye) == cls.of(head) == cls.of(head.parent)
    assert cls.all(scene) == [cls.of(head)]
    head.select_set(False)
    eye.select_set(True)
    bpy.context.view_layer.objects.active = eye
    assert submodule("scene.selected").chosen_heads(bpy.context) == [head]
    assert submodule("scene.enclosures").enclosures(scene.objects) == []


def test_an_update_gives_the_same_objects_another_shape(head: Any, scene: bpy.types.Scene) -> None:
    parts = parts_of(head)
    parts["skull"].vertex_groups.new(name="hair").add([3], 0.5, "REPLACE")
    own = parts["tongue"].shape_key_add(name="curl", from_mix=False)
    own.value = 0.0
    curl = np.random.default_rng(2).standard_normal((9, 3)).astype(np.float32)
    own.points.foreach_set("co", (SHAPES["tongue"][0][0] + curl).astype(np.float32).ravel())
    before = {name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "materials")}
    [again] = put(scene, face(102, width=1.25, parts=True, amounts={"jawOpen": 1.0}))
    assert again == head and parts_of(head) == parts
    assert before == {name: len(getattr(bpy.data, name)) for name in before}
    assert parts["skull"].vertex_groups["hair"].weight(3) == 0.5
    for name, part in parts.items():
        expected = expected_part(name, {"jawOpen": 1.0}, 1.25)
        np.testing.assert_allclose(evaluated(part), expected, atol=1e-6)
    own.value = 1.0
    expected = expected_part("tongue", {"jawOpen": 1.0}, 1.25) + curl
    np.testing.assert_allclose(evaluated(parts["tongue"]), expected, atol=1e-5)


def test_what_a_head_lacks_comes_back(head: Any, scene: bpy.types.Scene) -> None:
    bpy.data.objects.remove(parts_of(head)["tongue"])
    put(scene, face(100, parts=True, amounts=SMILE))
    assert set(parts_of(head)) == set(SHAPES)
    # And a face that was alone gets parts, once they are asked for: it has a mouth then.
    [alone] = put_source(scene, "/photos/other.png", face(100, amounts=SMILE))
    own = alone.shape_key_add(name="own", from_mix=False)
    own.points[5].co.x += 0.01
    own.value = 0.0
    put_source(scene, "/photos/other.png", face(100, parts=True, amounts=SMILE))
    assert set(parts_of(alone)) == set(SHAPES)
    assert len(alone.data.polygons) == len(dome().triangles)
    keys = alone.data.shape_keys.key_blocks
    assert keys["own"].points[5].co.x - keys[0].points[5].co.x == pytest.approx(0.01)
    values = {key.name: key.value for key in list(keys)[1:] if key.value}
    assert values == pytest.approx(SMILE)


def test_heads_from_before_keep_their_keys(scene: bpy.types.Scene) -> None:
    [old] = put(scene, face(100, expression=0.5))
    del old["synergyface_keys"]
    [same] = put(scene, face(100, expression=1.0, parts=True, amounts=SMILE))
    assert same == old and not parts_of(old)
    keys = old.data.shape_keys.key_blocks
    assert keys.keys()[1:] == [f"Expression_{index:02d}" for index in range(10)]
    assert {key.value for key in list(keys)[1:]} == {1.0}
    assert len(old.data.polygons) == len(dome().triangles) + len(dome().mouth)


def test_a_backend_that_cannot_make_keys_leaves_those_that_are_there(
    head: Any, scene: bpy.types.Scene
) -> None:
    put(scene, face(100, width=1.25))
    express(head, jawOpen=1.0, mouthSmileLeft=0.0)
    head.modifiers.clear()
    expected = dome().mean * [1.25, 1, 1] + fake_head.moves("jawOpen", dome().mean)
    np.testing.assert_allclose(evaluated(head), expected, atol=1e-6)


def test_a_broken_picture_leaves_nothing_behind(scene: bpy.types.Scene) -> None:
    whole = whole_head()
    broken = replace(whole, images=whole.images | {"mouth": np.arange(50, dtype=np.uint8)})
    with pytest.raises(submodule("problems").Problem, match="cannot read the texture"):
        put(scene, replace(face(100, amounts={}), whole=broken))
    for name in ("objects", "meshes", "images", "materials"):
        assert not getattr(bpy.data, name), name


def test_a_duplicate_moves_by_itself(head: Any) -> None:
    for object in (head.parent, *head.parent.children):
        object.select_set(True)
    bpy.ops.object.duplicate()
    [copy] = submodule("scene.selected").chosen_heads(bpy.context)
    assert copy != head and set(parts_of(copy)) == set(SHAPES)
    express(head, jawOpen=0.0)
    express(copy, jawOpen=1.0)
    for one, values in ((head, SMILE | {"jawOpen": 0.0}), (copy, SMILE | {"jawOpen": 1.0})):
        tongue = parts_of(one)["tongue"]
        np.testing.assert_allclose(evaluated(tongue), expected_part("tongue", values), atol=1e-6)


def test_a_copy_for_another_file_has_its_own_parts(head: Any, scene: bpy.types.Scene) -> None:
    copy = submodule("scene.separate").copied_head(head, scene.collection)
    assert set(parts_of(copy)) == set(SHAPES)
    assert copy["synergyface_uuid"] != head["synergyface_uuid"]
    express(copy, jawOpen=1.0)
    tongue = parts_of(copy)["tongue"]
    assert tongue != parts_of(head)["tongue"]
    np.testing.assert_allclose(evaluated(tongue), expected_part("tongue", {"jawOpen": 1.0}))


def test_a_life_size_head_is_made_in_half_a_second(scene: bpy.types.Scene) -> None:
    """The face model's 53,215 vertices, of which each of 52 keys moves 8,000."""
    count, rng = 53_215, np.random.default_rng(0)
    neutral = rng.standard_normal((count, 3)).astype(np.float32)
    starts = np.arange(53, dtype=np.int32) * 8000
    vertices = np.concatenate([rng.permutation(count)[:8000] for _ in range(52)]).astype(np.int32)
    keys = contract.NamedKeys(
        tuple(names()), starts, vertices, np.full((len(vertices), 3), 1e-3, np.float32)
    )
    corner = np.arange(count - 2, dtype=np.int32)
    model = replace(
        dome(),
        mean=neutral,
        triangles=np.stack([corner, corner + 1, corner + 2], axis=1),
        mouth=np.zeros((0, 3), np.int32),
        uv=np.zeros((count, 2), np.float32),
        regions={},
    )
    whole = replace(whole_head(), keys=keys)
    look = replace(face(100), neutral=neutral, whole=whole, amounts=np.zeros(52, np.float32))
    build = submodule("scene.build")
    seconds = []
    for _ in range(2):
        began = time.process_time()
        build.new_head(scene.collection, "fast", model, look)
        seconds.append(time.process_time() - began)
    assert min(seconds) < 0.5 * slowness()


def test_keys_and_parts_are_chosen(scene: Any, fake_backend: Any, any_file: str) -> None:
    fake_backend("none")
    ops.synergyface.face_from_image(filepath=any_file, keys="bfm")
    [head] = heads_in(scene)
    assert len(head.data.shape_keys.key_blocks) == 11
    bpy.data.objects.remove(head)
    scene.synergyface.parts = "face"
    ops.synergyface.face_from_image(filepath=any_file)
    [head] = heads_in(scene)
    assert len(head.data.shape_keys.key_blocks) == 53 and not parts_of(head)
    ops.synergyface.face_from_image(filepath=any_file, parts="head")
    assert set(parts_of(head)) == set(SHAPES)
    # What is there stays as it is, whatever new heads get.
    ops.synergyface.face_from_image(filepath=any_file, keys="bfm")
    assert len(head.data.shape_keys.key_blocks) == 53
    assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.25)
