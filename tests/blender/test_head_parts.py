"""What an artist sets on a head: scale, hidden parts, subdivision, landmarks."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops, submodule
from fake_backend import dome, face
from test_scene import evaluated, put


@pytest.fixture
def head(scene: bpy.types.Scene) -> Any:
    """The dome, chosen."""
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head
    return head


def group_weights(head: Any, name: str) -> np.ndarray:
    """(V,) weights of a vertex group; 0 outside."""
    index = head.vertex_groups[name].index
    return np.array(
        [
            next((element.weight for element in vertex.groups if element.group == index), 0.0)
            for vertex in head.data.vertices
        ]
    )


def hide(region: str) -> None:
    """By its operator."""
    ops.synergyface.show_region(region=region, action="HIDE")


def show(region: str) -> None:
    """By its operator, which toggles."""
    ops.synergyface.show_region(region=region)


def test_regions_are_vertex_groups(head: Any) -> None:
    for name, weights in dome().regions.items():
        np.testing.assert_allclose(group_weights(head, name), weights / 255, atol=1e-6)


def test_a_group_that_the_user_changed_stays_and_a_lost_one_returns(
    scene: bpy.types.Scene, head: Any
) -> None:
    inside = int(dome().regions["ears"].argmax())
    beside = int(dome().regions["ears"].argmin())
    head.vertex_groups["ears"].add([beside], 0.25, "REPLACE")
    head.vertex_groups.remove(head.vertex_groups["neck"])
    put(scene, face(100))
    assert group_weights(head, "ears")[[inside, beside]].tolist() == [1, 0.25]
    np.testing.assert_allclose(group_weights(head, "neck"), dome().regions["neck"] / 255, atol=1e-6)
    head.shape_key_clear()
    head.data.clear_geometry()
    put(scene, face(100))
    np.testing.assert_allclose(group_weights(head, "ears"), dome().regions["ears"] / 255, atol=1e-6)


def test_ears_and_neck_go_and_come_back(head: Any) -> None:
    whole = evaluated(head)
    hide("ears")
    ears = dome().regions["ears"] > 0
    rows = {tuple(point) for point in evaluated(head)}
    assert {tuple(point) for point in whole[~ears]} <= rows
    assert not {tuple(point) for point in whole[ears]} & rows
    hide("neck")
    # The weight falls to one half at a fifth of the dome's height, between two rows of vertices:
    # there the cut runs.
    heights = 0.11 * np.sin(0.9 * np.pi * (np.array([3, 0.2 * 16, 4]) / 16 - 0.5))
    cut = evaluated(head)[:, 2].min()
    assert heights[0] < cut < heights[2]
    assert cut == pytest.approx(heights[1], abs=0.003)
    show("ears")
    show("neck")
    assert not head.modifiers
    np.testing.assert_array_equal(evaluated(head), whole)


def test_hiding_what_has_no_group_is_explained(head: Any) -> None:
    head.vertex_groups.remove(head.vertex_groups["ears"])
    with pytest.raises(RuntimeError, match=r"lost the vertex group 'ears'.*again"):
        hide("ears")


def test_subdivision_is_for_renders(scene: bpy.types.Scene, head: Any) -> None:
    hide("neck")
    ops.synergyface.subdivide(levels=2)
    masks, subdivision = head.modifiers
    assert (masks.type, subdivision.type) == ("MASK", "SUBSURF")
    assert (subdivision.levels, subdivision.render_levels) == (0, 2)
    hide("ears")
    assert [modifier.type for modifier in head.modifiers] == ["MASK", "MASK", "SUBSURF"]
    ops.synergyface.subdivide(levels=0)
    assert [modifier.type for modifier in head.modifiers] == ["MASK", "MASK"]
    [largest, other] = put(scene, face(100), face(400))
    assert len(largest.modifiers) == 2 and not other.modifiers


def test_subdivided_normals_are_smooth_and_point_outwards(head: Any) -> None:
    ops.synergyface.subdivide()
    head.modifiers[0].levels = 1
    bpy.context.view_layer.update()
    mesh = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    assert len(mesh.polygons) == 3 * (len(dome().triangles) + len(dome().mouth))
    assert all(polygon.use_smooth for polygon in mesh.polygons)
    assert not mesh.has_custom_normals
    normals, points = (np.empty(3 * len(mesh.vertices), np.float32) for _ in range(2))
    mesh.vertices.foreach_get("normal", normals)
    mesh.vertices.foreach_get("co", points)
    outwards = points.reshape(-1, 3) / [0.09, 0.13, 0.11] ** np.array(2)
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    assert (normals.reshape(-1, 3) * outwards).sum(axis=1).min() > 0.9


def test_scale_is_the_empties_and_survives_the_photos_pose(head: Any) -> None:
    empty = head.parent
    empty.scale = (100, 100, 100)
    ops.synergyface.apply_photo_pose()
    assert tuple(empty.location) == pytest.approx((-119.5 / 16, 0, 39.5 / 16), abs=1e-4)
    assert tuple(empty.scale) == pytest.approx((100, 100, 100), rel=1e-5)
    empty.scale = (2, 2, 2)
    ops.synergyface.apply_photo_pose()
    assert tuple(empty.location) == pytest.approx((0, 0, 0))
    assert tuple(empty.scale) == pytest.approx((2, 2, 2))


def test_a_head_of_any_scale_looks_the_same_through_the_camera(
    scene: bpy.types.Scene, head: Any
) -> None:
    from bpy_extras.object_utils import world_to_camera_view

    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = (1, 2, 3)
    scene.collection.objects.link(camera)
    scene.camera = camera

    def seen() -> np.ndarray:
        ops.synergyface.apply_photo_pose(action="APPLY")
        bpy.context.view_layer.update()
        corners = [head.matrix_world @ vertex.co for vertex in list(head.data.vertices)[::40]]
        return np.array([world_to_camera_view(scene, camera, corner)[:2] for corner in corners])

    life_size = seen()
    head.parent.scale = (10, 10, 10)
    np.testing.assert_allclose(seen(), life_size, atol=1e-5)


def test_landmarks_ride_on_the_head(head: Any) -> None:
    assert ops.synergyface.landmarks() == {"FINISHED"}
    marks = submodule("scene.landmarks").landmarks_of(head)
    assert len(marks) == 68
    names = [mark.name.removeprefix(head.name + " ") for mark in marks]
    assert [names[i] for i in (8, 30, 36, 45, 67)] == [
        "08 jaw", "30 nose bridge", "36 right eye", "45 left eye", "67 inner lips"
    ]  # fmt: skip
    head.parent.location = (0, 0, 1)
    for value in (0.5, 2.0):
        for key in head.data.shape_keys.key_blocks[1:]:
            key.value = value
        expected = (evaluated(head) + np.array([0, 0, 1]))[dome().landmark_indices]
        places = np.array([mark.matrix_world.translation for mark in marks])
        np.testing.assert_allclose(places, expected, atol=1e-5)
    bpy.context.view_layer.objects.active = marks[3]
    assert ops.synergyface.landmarks() == {"FINISHED"}
    assert not submodule("scene.landmarks").landmarks_of(head)
    assert len(bpy.context.scene.objects) == 2


def test_a_removed_landmark_returns_and_none_is_doubled(head: Any) -> None:
    ops.synergyface.landmarks(action="ADD")
    landmarks_of = submodule("scene.landmarks").landmarks_of
    bpy.data.objects.remove(landmarks_of(head)[5])
    ops.synergyface.landmarks(action="ADD")
    assert [mark["synergyface_landmark"] for mark in landmarks_of(head)] == list(range(68))


def test_landmarks_of_a_mesh_whose_vertices_have_other_numbers_are_refused(head: Any) -> None:
    """Whose numbers are all still there: the neck was cut off, and what is left made finer."""
    head.shape_key_clear()
    hide("neck")
    for _ in range(2):
        head.modifiers.new("finer", "SUBSURF")
    for name in [modifier.name for modifier in head.modifiers]:
        bpy.ops.object.modifier_apply(modifier=name)
    assert len(head.data.vertices) > dome().landmark_indices.max()
    with pytest.raises(RuntimeError, match="has no landmarks"):
        ops.synergyface.landmarks(action="ADD")


def test_landmarks_of_another_mesh_are_refused(head: Any) -> None:
    head.shape_key_clear()
    head.data.clear_geometry()
    with pytest.raises(RuntimeError, match=r"has no landmarks.*again"):
        ops.synergyface.landmarks(action="ADD")
    assert len(bpy.context.scene.objects) == 2


def test_operators_need_a_head(scene: bpy.types.Scene) -> None:
    for name in ("apply_photo_pose", "landmarks", "show_region", "subdivide"):
        assert not getattr(ops.synergyface, name).poll()


def test_qualities_set_what_they_say(scene: bpy.types.Scene) -> None:
    settings: Any = getattr(scene, "synergyface")  # noqa: B009
    quality_of = submodule("operators.quality").quality_of
    assert quality_of(settings) == "Standard"
    ops.synergyface.set_quality(quality="high")
    assert (settings.texture_size, settings.subdivision) == ("2048", 1)
    settings.texture_size = "512"
    assert quality_of(settings) == "Custom"
    ops.synergyface.set_quality(quality="draft")
    assert (settings.texture_size, settings.subdivision) == ("512", 0)
    assert quality_of(settings) == "Draft"
