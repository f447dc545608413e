"""Heads in the scene: made, updated, posed; with the fake backend's faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import heads_in, ops, submodule
from fake_backend import IMAGE_SIZE, contract, dome, face
from mathutils import Matrix, Quaternion, Vector

SOURCE = "/photos/somebody.png"


def put(scene: bpy.types.Scene, *faces: Any) -> list[Any]:
    """Write faces into the scene as the operators do."""
    return submodule("scene.build").put_faces(
        scene,
        scene.collection,
        SOURCE,
        "somebody",
        dome(),
        contract.FacesResult(faces, IMAGE_SIZE),
    )


def evaluated(head: Any) -> np.ndarray:
    """(V, 3) positions with the shape keys' values applied."""
    bpy.context.view_layer.update()
    mesh = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", positions)
    return positions.reshape(-1, 3)


def test_expressions_beyond_the_sliders_limits_are_kept(scene: bpy.types.Scene) -> None:
    for sigmas, reach in ((0.5, 3), (4.2, 5), (25.0, 10)):
        [head] = put(scene, face(100, expression=sigmas))
        key = head.data.shape_keys.key_blocks["Expression_03"]
        assert (key.slider_min, key.slider_max) == (-reach, reach)
        expected = dome().mean + sigmas * dome().expression_basis.sum(axis=0)
        np.testing.assert_allclose(evaluated(head), expected, atol=2e-6)
        assert head["synergyface_expression"][3] == pytest.approx(sigmas)


def test_an_update_keeps_what_the_user_did(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(100))
    mesh, image = head.data, head.data.materials[0].node_tree.nodes["SynergyFace Texture"].image
    own = bpy.data.materials.new("user's own")
    mesh.materials.append(own)
    head.vertex_groups.new(name="user's group").add([3], 0.5, "REPLACE")
    head.parent.location = (1, 2, 3)
    image.pixels.foreach_set(np.zeros(64 * 64 * 4, np.float32))
    before = {name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "images")}

    [again] = put(scene, face(105, width=1.25, expression=1.0))

    assert again == head and again.data == mesh
    assert mesh.materials.keys() == ["somebody skin", "Mouth", "user's own"]
    assert head.vertex_groups["user's group"].weight(3) == 0.5
    assert tuple(head.parent.location) == (1, 2, 3)
    assert before == {name: len(getattr(bpy.data, name)) for name in before}
    assert [key.name for key in mesh.shape_keys.key_blocks][:2] == ["Basis", "Expression_00"]
    assert len(mesh.shape_keys.key_blocks) == 11
    expected = dome().mean * [1.25, 1, 1] + dome().expression_basis.sum(axis=0)
    np.testing.assert_allclose(evaluated(head), expected, atol=1e-6)
    pixels = np.empty(64 * 64 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    np.testing.assert_allclose(pixels[:3] * 255, [200, 150, 120], atol=0.5)


def test_the_users_own_shape_keys_follow_the_head(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(100))
    rng, count = np.random.default_rng(4), len(dome().mean)
    keys = head.data.shape_keys
    keys.reference_key.name = "Neutral"
    offsets = {name: 0.01 * rng.standard_normal((count, 3)) for name in ("wide", "smile", "lip")}
    made = {name: head.shape_key_add(name=name, from_mix=False) for name in offsets}
    # "wide" stands before "smile", which it is relative to; "lip" corrects an expression.
    made["wide"].relative_key = made["smile"]
    made["lip"].relative_key = keys.key_blocks["Expression_03"]
    for name in ("smile", "wide", "lip"):
        relative = np.empty(3 * count, np.float32)
        made[name].relative_key.points.foreach_get("co", relative)
        made[name].points.foreach_set("co", relative + offsets[name].ravel())
    head.vertex_groups.new(name="half").add(list(range(count // 2)), 1.0, "REPLACE")
    made["smile"].vertex_group, made["smile"].slider_max = "half", 2.0
    values = {"wide": 0.5, "smile": 1.5, "lip": 1.0}
    for name, value in values.items():
        made[name].value = value
    order = [key.name for key in keys.key_blocks]

    for sigmas in (1.0, 25.0):
        put(scene, face(100, width=1.25, expression=sigmas))

        assert [key.name for key in keys.key_blocks] == order
        assert made["wide"].relative_key == made["smile"] and made["smile"].vertex_group == "half"
        assert {name: key.value for name, key in made.items()} == values
        offsets["smile"][count // 2 :] = 0
        added = sum(value * offsets[name] for name, value in values.items())
        expected = dome().mean * [1.25, 1, 1] + sigmas * dome().expression_basis.sum(axis=0) + added
        np.testing.assert_allclose(evaluated(head), expected, atol=5e-6)


def test_a_head_that_the_user_reshaped_is_built_anew(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(100))
    head.shape_key_clear()
    head.data.clear_geometry()
    [again] = put(scene, face(100))
    assert again == head
    assert len(head.data.vertices) == len(dome().mean)
    assert len(head.data.shape_keys.key_blocks) == 11
    assert len(head.data.uv_layers) == 1
    # What somebody made of it by hand is not lost.
    head.shape_key_clear()
    head.modifiers.new("finer", "SUBSURF")
    bpy.context.view_layer.objects.active = head
    bpy.ops.object.modifier_apply(modifier="finer")
    finer = len(head.data.vertices)
    put(scene, face(100))
    assert len(head.data.vertices) == len(dome().mean)
    kept = bpy.data.meshes["somebody head before update"]
    assert len(kept.vertices) == finer and kept.use_fake_user


def test_faces_of_one_photo_are_told_apart_by_their_places(scene: bpy.types.Scene) -> None:
    [largest] = put(scene, face(400))
    left, right = put(scene, face(100, width=0.9), face(402))
    assert right == largest and left != largest
    assert [head["synergyface_face_index"] for head in (left, right)] == [0, 1]
    assert put(scene, face(399)) == [right]
    assert len(scene.objects) == 4


def test_a_photo_that_was_replaced_updates_the_head_of_its_number(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(0))
    assert put(scene, face(400)) == [head]


def test_an_edited_head_is_not_touched(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(submodule("problems").Problem, match="is being edited"):
        put(scene, face(100, width=2.0), face(400))
    bpy.ops.object.mode_set(mode="OBJECT")
    assert len(scene.objects) == 2
    np.testing.assert_allclose(evaluated(head), dome().mean, atol=1e-6)


def test_a_broken_texture_leaves_nothing_behind(scene: bpy.types.Scene) -> None:
    broken = face(100)
    object.__setattr__(broken, "texture_png", np.arange(50, dtype=np.uint8))
    with pytest.raises(submodule("problems").Problem, match="cannot read the texture"):
        put(scene, broken)
    assert not bpy.data.objects and not bpy.data.meshes and not bpy.data.images


def test_the_photos_pose_goes_on_and_off(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head
    empty = head.parent
    empty.location = (0, 0, 5)
    ops.synergyface.apply_photo_pose()
    # Box 100..300 of a photo 640 wide: its centre is 119.5 px left of, and 39.5 px above, the
    # photo's, at 1.6 px per millimetre.
    assert tuple(empty.location) == pytest.approx((-119.5 / 1600, 0, 39.5 / 1600), abs=1e-6)
    assert empty.rotation_quaternion.angle == pytest.approx(np.radians(20), abs=1e-5)
    assert tuple(empty.scale) == pytest.approx((1, 1, 1))
    ops.synergyface.apply_photo_pose(action="APPLY")
    ops.synergyface.apply_photo_pose()
    assert tuple(empty.location) == pytest.approx((0, 0, 5))
    assert empty.rotation_quaternion.angle == pytest.approx(0, abs=1e-6)
    assert tuple(head.location) == (0, 0, 0)


@pytest.mark.parametrize("hung", ["", "from an object", "from a bone"])
def test_the_photos_pose_is_the_same_for_an_empty_with_a_parent(
    scene: bpy.types.Scene, hung: str
) -> None:
    [head] = put(scene, face(100))
    empty, expected = head.parent, Vector((-119.5 / 1600, 0, 39.5 / 1600))
    if hung:
        rig = armature(scene)
        rig.matrix_world = Matrix.LocRotScale((3, -2, 1), Quaternion((0.3, 0.5, 0.2, 0.7)), None)
        rig.scale = (2, 2, 2)
        empty.parent = rig
        # A head of twice the size is as large in the picture from twice as far.
        expected *= 2
    if hung == "from a bone":
        empty.parent_type, empty.parent_bone = "BONE", "neck"
    bpy.context.view_layer.update()
    before = empty.matrix_world.copy()
    bpy.context.view_layer.objects.active = head
    ops.synergyface.apply_photo_pose()
    bpy.context.view_layer.update()
    location, rotation, scale = empty.matrix_world.decompose()
    assert location[:] == pytest.approx(expected[:], abs=1e-6)
    assert rotation.rotation_difference(Quaternion((0, 0, 1), np.radians(20))).angle < 1e-5
    assert scale[:] == pytest.approx([2 if hung else 1] * 3, abs=1e-5)
    ops.synergyface.apply_photo_pose()
    bpy.context.view_layer.update()
    np.testing.assert_allclose(empty.matrix_world, before, atol=1e-6)


def armature(scene: bpy.types.Scene) -> Any:
    """An armature with one bone, posed."""
    rig: Any = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bone = rig.data.edit_bones.new("neck")
    bone.head, bone.tail = (0, 0, 0.1), (0.1, 0.2, 0.5)
    bpy.ops.object.mode_set(mode="OBJECT")
    rig.pose.bones["neck"].rotation_quaternion = Quaternion((0.9, 0.1, 0.3, 0.2)).normalized()
    return rig


def test_a_perspective_camera_sees_the_head_where_the_photo_does(scene: bpy.types.Scene) -> None:
    from bpy_extras.object_utils import world_to_camera_view

    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.matrix_world = Matrix.LocRotScale((3, -2, 1), Quaternion((0.3, 0.5, 0.2, 0.7)), None)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = IMAGE_SIZE
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head
    ops.synergyface.apply_photo_pose()
    bpy.context.view_layer.update()

    def pixel(point: Vector) -> Any:
        seen = world_to_camera_view(scene, camera, head.matrix_world @ point)
        return Vector((seen.x * 640 - 0.5, (1 - seen.y) * 480 - 0.5))

    assert tuple(pixel(Vector())) == pytest.approx((200, 200), abs=0.01)
    # A millimetre upwards (the head is turned about this axis) is 1.6 px in the photo.
    assert (pixel(Vector()) - pixel(Vector((0, 0, 0.001)))).y == pytest.approx(1.6, rel=1e-3)


def test_an_image_in_blender_is_a_photo_too(
    scene: bpy.types.Scene, fake_backend: Callable[[str], None], photo: Path
) -> None:
    fake_backend("none")
    as_file = submodule("scene.photo").photo_of_file(str(photo))
    image = bpy.data.images.load(str(photo))
    from_file = submodule("scene.photo").photo_of_image(image, scene)
    assert (from_file.source, from_file.read()) == (as_file.source, photo.read_bytes())
    image.pack()
    packed = submodule("scene.photo").photo_of_image(image, scene)
    assert (packed.source, packed.read()) == (as_file.source, photo.read_bytes())

    pixels = np.empty(512 * 512 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    painted: Any = bpy.data.images.new("painted", 512, 512)
    painted.pixels.foreach_set(pixels)
    encoded = submodule("scene.photo").photo_of_image(painted, scene)
    assert encoded.source == "image:painted"
    assert (painted.source, painted.is_dirty) == ("GENERATED", True)
    path = photo.with_name("encoded.png")
    path.write_bytes(encoded.read())
    back = np.empty_like(pixels)
    bpy.data.images.load(str(path)).pixels.foreach_get(back)
    np.testing.assert_allclose(back, pixels, atol=1e-6)

    ops.synergyface.face_from_image(filepath=str(photo))
    ops.synergyface.face_from_active_image(image=image.name)
    assert len(heads_in(scene)) == 1


def test_an_image_without_pixels_is_explained(scene: bpy.types.Scene) -> None:
    image = bpy.data.images.new("empty", 1, 1)
    image.source = "FILE"
    with pytest.raises(submodule("problems").Problem, match="has no pixels"):
        submodule("scene.photo").photo_of_image(image, scene)
