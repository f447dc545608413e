"""Whole heads in other programs: GLB, FBX and OBJ read again, animated parts, one joined mesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import fake_head
import numpy as np
import pytest
from conftest import ops, submodule
from fake_backend import dome, face
from fake_head import SHAPES
from test_export import distinct
from test_scene import evaluated, put
from test_whole_head import express, names, parts_of

EXPRESSIONS = (
    {},
    {"jawOpen": 1.0},
    {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    {"mouthSmileLeft": 1.0},
    {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    {"tongueOut": 1.0, "jawOpen": 0.5},
    {"browInnerUp": 0.7, "cheekPuff": 0.4},
)


@pytest.fixture
def head(scene: bpy.types.Scene) -> Any:
    """A whole head, chosen."""
    [made] = put(scene, face(100, parts=True, amounts={"jawOpen": 0.25}))
    bpy.context.view_layer.objects.active = made
    return made


def shapes_of(scene: Any, values: dict[str, float]) -> dict[str, np.ndarray]:
    """World positions of all meshes, by name, with keys of these names at these values."""
    meshes = [object for object in scene.objects if object.type == "MESH"]
    for object in meshes:
        keys = object.data.shape_keys
        for key in list(keys.key_blocks)[1:] if keys else ():
            key.value = values.get(key.name, 0.0)
    bpy.context.view_layer.update()
    found = {}
    for object in meshes:
        matrix = np.array(object.matrix_world)
        points = evaluated(object) @ matrix[:3, :3].T + matrix[:3, 3]
        found[object.name] = distinct(points)
    return found


def import_again(path: Path) -> Any:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    importers: Any = {".glb": "gltf", ".fbx": "fbx"}
    getattr(bpy.ops.import_scene, importers[path.suffix])(filepath=str(path))
    return bpy.context.scene


@pytest.mark.usefixtures("gltf_exporter")
@pytest.mark.parametrize("kind", ["glb", "fbx"])
def test_all_parts_arrive_with_their_keys(head: Any, tmp_path: Path, kind: str) -> None:
    scene = bpy.context.scene
    head.parent.location = (0.1, 0.2, 0.3)
    path = tmp_path / f"head.{kind}"
    ops.synergyface.export_head(filepath=str(path), file_format=kind)
    drivers = [part.data.shape_keys for part in parts_of(head).values() if part.data.shape_keys]
    assert all(keys.animation_data.drivers for keys in drivers)
    expected = [shapes_of(scene, values) for values in EXPRESSIONS]
    again = import_again(path)
    for values, wanted in zip(EXPRESSIONS, expected, strict=True):
        found = shapes_of(again, values)
        assert found.keys() == wanted.keys()
        for name in wanted:
            np.testing.assert_allclose(found[name], wanted[name], atol=1.1e-4, err_msg=name)
    assert again.objects["somebody head"].data.shape_keys.key_blocks.keys()[1:] == names()
    pictures = {image.name.split(".")[0] for image in bpy.data.images}
    assert {"somebody texture", "somebody eye texture", "somebody mouth texture"} <= pictures


@pytest.mark.usefixtures("gltf_exporter")
@pytest.mark.parametrize("kind", ["glb", "fbx"])
def test_driven_keys_arrive_as_animation(head: Any, tmp_path: Path, kind: str) -> None:
    scene: Any = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 25, 1, 26
    key = head.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.0), (26, 1.0)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    path = tmp_path / f"head.{kind}"
    actions = set(bpy.data.actions)
    ops.synergyface.export_head(filepath=str(path), file_format=kind)
    assert set(bpy.data.actions) == actions
    scene.frame_set(26)
    expected = SHAPES["teeth_lower"][0][0] + fake_head.JAW
    np.testing.assert_allclose(evaluated(parts_of(head)["teeth_lower"]), expected, atol=1e-6)
    again = import_again(path)
    again.render.fps = 25
    for name in ("somebody head", "somebody lower teeth", "somebody tongue"):
        block = again.objects[name].data.shape_keys.key_blocks["jawOpen"]
        curves = submodule("scene.compat").present_curves(block.id_data)
        [curve] = [curve for curve in curves if "jawOpen" in curve.data_path]
        span = curve.range()
        assert curve.evaluate(span[0]) == pytest.approx(0, abs=1e-4)
        assert curve.evaluate(span[1]) == pytest.approx(1, abs=1e-4)
        assert curve.evaluate(sum(span) / 2) == pytest.approx(0.5, abs=0.05)


def test_obj_has_the_face_first_and_all_parts(head: Any, tmp_path: Path) -> None:
    submodule("scene.parts").show(head, "skull", False)
    ops.synergyface.export_head(filepath=str(tmp_path / "h.obj"), file_format="obj")
    text = (tmp_path / "h.obj").read_text()
    objects = [line[2:] for line in text.splitlines() if line.startswith("o ")]
    assert objects[0] == "somebody_head" and len(objects) == len(SHAPES)
    assert {path.name for path in tmp_path.glob("*.png")} == {"h.png", "h_eye.png", "h_mouth.png"}
    assert {"h_jawOpen.obj", "h_tongueOut.obj", "h_Basis.obj"} <= {
        p.name for p in tmp_path.iterdir()
    }
    closed, opened = (vertices_of(tmp_path / f"h_{key}.obj") for key in ("Basis", "jawOpen"))
    # Z up there is Y up in the file.
    moved = np.abs(opened - closed).max(axis=1) > 1e-5
    count = sum(np.abs(fake_head.moves("jawOpen", dome().mean)).max(axis=1) > 0)
    count += len(SHAPES["teeth_lower"][0][0]) + len(SHAPES["tongue"][0][0])
    assert moved.sum() == count


def vertices_of(path: Path) -> np.ndarray:
    lines = [line.split()[1:4] for line in path.read_text().splitlines() if line.startswith("v ")]
    return np.array(lines, float)


def test_joined_it_is_one_mesh_with_all_keys(head: Any) -> None:
    scene, parts = bpy.context.scene, parts_of(head)
    ops.synergyface.landmarks(action="ADD")
    mark = submodule("scene.landmarks").landmarks_of(head)[30]
    expected = []
    for values in EXPRESSIONS:
        express(head, **(dict.fromkeys(fake_head.KEYS, 0.0) | values))
        expected.append([evaluated(head), *(evaluated(part) for part in parts.values())])
    bpy.context.view_layer.update()
    place = mark.matrix_world.translation.copy()
    assert ops.synergyface.join_parts() == {"FINISHED"}
    assert not parts_of(head)
    assert [object for object in scene.objects if object.type == "MESH"] == [head]
    keys = head.data.shape_keys
    assert keys.key_blocks.keys()[1:] == names()
    assert keys.animation_data is None or not keys.animation_data.drivers
    for values, wanted in zip(EXPRESSIONS, expected, strict=True):
        express(head, **(dict.fromkeys(fake_head.KEYS, 0.0) | values))
        found = distinct(evaluated(head))
        np.testing.assert_allclose(found, distinct(np.concatenate(wanted)), atol=1.1e-4)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(mark.matrix_world.translation, place, atol=1e-6)
    group = head.vertex_groups["left eye"].index
    count = sum(any(e.group == group for e in vertex.groups) for vertex in head.data.vertices)
    assert count == len(SHAPES["eye_left"][0][0])
    looks = {head.data.materials[polygon.material_index].name for polygon in head.data.polygons}
    assert {"somebody skin", "somebody eye", "somebody teeth", "somebody cavity"} <= looks
    # Face from Image parts them again.
    put(scene, face(100, parts=True, amounts={}))
    assert set(parts_of(head)) == set(SHAPES)
    assert len(head.data.vertices) == len(dome().mean)


def test_a_head_without_parts_is_not_joined(scene: bpy.types.Scene) -> None:
    [alone] = put(scene, face(100))
    bpy.context.view_layer.objects.active = alone
    with pytest.raises(RuntimeError, match="no parts to join"):
        ops.synergyface.join_parts()
