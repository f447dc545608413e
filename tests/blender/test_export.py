"""Files of a head, read again by Blender's own importers, and the table of its motion."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops, submodule
from fake_backend import dome, face
from test_head_parts import hide
from test_scene import evaluated, put

N_KEYS = 10


@pytest.fixture
def head(scene: bpy.types.Scene) -> Any:
    """The dome with an expression, chosen."""
    [head] = put(scene, face(100, expression=0.5))
    bpy.context.view_layer.objects.active = head
    return head


def animated(head: Any) -> Any:
    """Two seconds at 30 frames a second: the Empty rises, the third expression grows."""
    scene: Any = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.0
    key = head.data.shape_keys.key_blocks["Expression_02"]
    for frame, height, value in ((10, 0.0, 0.0), (70, 1.0, 2.0)):
        head.parent.location.z = height
        head.parent.keyframe_insert("location", frame=frame)
        key.value = value
        key.keyframe_insert("value", frame=frame)
    for block in (head.parent, head.data.shape_keys):
        for curve in submodule("scene.compat").curves_of(block.animation_data.action, block):
            for point in curve.keyframe_points:
                point.interpolation = "LINEAR"
    return head


def read_again(path: Path) -> Any:
    """The mesh object in a file, in an empty scene."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    scene: Any = bpy.context.scene
    scene.render.fps = 30
    if path.suffix == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.wm.obj_import(filepath=str(path))
    [mesh] = [object for object in bpy.data.objects if object.type == "MESH"]
    return mesh


def in_world(object: Any) -> np.ndarray:
    """(V, 3) of the evaluated mesh."""
    points = evaluated(object)
    matrix = np.array(object.matrix_world)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def distinct(points: np.ndarray) -> np.ndarray:
    """Points in an order of their own, once each: glTF repeats some at the rim of a cut."""
    return np.unique(points.round(4), axis=0)


def images_of(object: Any) -> list[Any]:
    """Images in the materials of an object."""
    return [
        node.image
        for material in object.data.materials
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE"
    ]


@pytest.mark.usefixtures("gltf_exporter")
@pytest.mark.parametrize("kind", ["glb", "fbx"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "without-neck"])
def test_shape_keys_texture_and_parts_survive(
    head: Any, tmp_path: Path, kind: str, whole: bool
) -> None:
    if not whole:
        hide("neck")
    expected, name = in_world(head), head.name
    before = (
        list(head.keys()),
        head.data.name,
        [m.name for m in head.modifiers],
        len(bpy.data.meshes),
    )
    path = tmp_path / f"head.{kind}"
    assert ops.synergyface.export_head(filepath=str(path), file_format=kind) == {"FINISHED"}
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    after = (
        list(head.keys()),
        head.data.name,
        [m.name for m in head.modifiers],
        len(bpy.data.meshes),
    )
    assert after == before and all(modifier.show_viewport for modifier in head.modifiers)
    np.testing.assert_array_equal(in_world(head), expected)

    again = read_again(path)
    assert again.name == name
    keys = again.data.shape_keys.key_blocks
    assert [key.name for key in keys[1:]] == [f"Expression_{i:02d}" for i in range(N_KEYS)]
    assert [round(key.value, 5) for key in keys[1:]] == [0.5] * N_KEYS
    np.testing.assert_allclose(distinct(in_world(again)), distinct(expected), atol=1.1e-4)
    [image] = images_of(again)
    assert tuple(image.size) == (64, 64)
    pixel = [round(value * 255) for value in image.pixels[:3]]
    assert pixel == [200, 150, 120]


def test_obj_holds_what_is_seen_and_a_file_for_each_key(head: Any, tmp_path: Path) -> None:
    hide("ears")
    expected = in_world(head)
    ops.synergyface.export_head(filepath=str(tmp_path / "a.b"), file_format="obj")
    names = {path.name for path in tmp_path.iterdir()}
    keys = {f"a.b_{key}.obj" for key in ("Basis", *(f"Expression_{i:02d}" for i in range(10)))}
    assert names == {"a.b.obj", "a.b.mtl", "a.b.png"} | keys
    assert "map_Kd a.b.png" in (tmp_path / "a.b.mtl").read_text()
    assert str(tmp_path) not in (tmp_path / "a.b.mtl").read_text()

    seen, basis, third = (
        read_again(tmp_path / name)
        and in_world(next(o for o in bpy.data.objects if o.type == "MESH"))
        for name in ("a.b.obj", "a.b_Basis.obj", "a.b_Expression_03.obj")
    )
    np.testing.assert_allclose(seen, expected, atol=2e-6)
    # The vertices that no cut touched come first, in the model's order.
    kept = dome().regions["ears"] == 0
    offsets = dome().expression_basis[3][kept]
    np.testing.assert_allclose((third - basis)[: kept.sum()], offsets, atol=2e-6)
    read_again(tmp_path / "a.b.obj")
    [image] = images_of(next(o for o in bpy.data.objects if o.type == "MESH"))
    assert tuple(image.size) == (64, 64)


def test_obj_alone(head: Any, tmp_path: Path) -> None:
    ops.synergyface.export_head(
        filepath=str(tmp_path / "h.obj"), file_format="obj", shape_keys=False
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.mtl", "h.obj", "h.png"]


def texture_of(folder: Path, name: str) -> Path:
    """The picture that an OBJ file shows, by way of its material."""
    [library] = re.findall(r"^mtllib (.*)$", (folder / name).read_text(), re.MULTILINE)
    [picture] = re.findall(r"^map_Kd (.*)$", (folder / library).read_text(), re.MULTILINE)
    return folder / picture


def test_obj_overwrites_nothing_but_what_was_named(head: Any, tmp_path: Path) -> None:
    photo, own = tmp_path / "me.png", tmp_path / "me_Expression_03.obj"
    for path in (photo, own, tmp_path / "me.obj"):
        path.write_bytes(path.name.encode())
    (tmp_path / "me-2.mtl").symlink_to("gone")
    options = {"filepath": str(tmp_path / "me.obj"), "file_format": "obj"}
    ops.synergyface.export_head(**options)
    assert (photo.read_bytes(), own.read_bytes()) == (b"me.png", b"me_Expression_03.obj")
    assert (tmp_path / "me-2.mtl").is_symlink()
    assert texture_of(tmp_path, "me.obj") == tmp_path / "me-3.png"
    assert (tmp_path / "me-3.png").read_bytes() == bytes(images_of(head)[0].packed_file.data)
    assert len(list(tmp_path.glob("me-3_*.obj"))) == 1 + N_KEYS
    names = {path.name for path in tmp_path.iterdir()}
    # What is asked for is done.
    ops.synergyface.export_head(**options, overwrite=True)
    assert texture_of(tmp_path, "me.obj").read_bytes() == photo.read_bytes() != b"me.png"
    assert {path.name for path in tmp_path.iterdir()} == names | {"me.mtl"} | {
        f"me_{key.name}.obj" for key in head.data.shape_keys.key_blocks
    }


def test_obj_again_takes_the_place_of_itself(head: Any, tmp_path: Path) -> None:
    options = {"filepath": str(tmp_path / "me.obj"), "file_format": "obj"}
    ops.synergyface.export_head(**options)
    names = sorted(path.name for path in tmp_path.iterdir())
    head.data.shape_keys.key_blocks["Expression_03"].value = -1
    before = (tmp_path / "me.obj").read_bytes()
    ops.synergyface.export_head(**options)
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "me.obj").read_bytes() != before


def test_keys_of_any_name_have_files(head: Any, tmp_path: Path) -> None:
    names = ("a/b", "A\\B", "../up", "Lächeln", 'w:h*y?"', "x" * 63)
    for name in names:
        head.shape_key_add(name=name, from_mix=False)
    ops.synergyface.export_head(filepath=str(tmp_path / "h.obj"), file_format="obj")
    found = {path.name for path in tmp_path.glob("h_*.obj") if "Expression" not in path.name}
    assert found == {
        "h_Basis.obj", "h_a_b.obj", "h_A_B-2.obj", "h_.._up.obj", "h_Lächeln.obj", "h_w_h_y__.obj",
        f"h_{'x' * 60}.obj",
    }  # fmt: skip
    assert len(list(tmp_path.parent.glob("*up*"))) == 0


@pytest.mark.usefixtures("gltf_exporter")
@pytest.mark.parametrize("kind", ["glb", "fbx"])
def test_motion_survives(head: Any, tmp_path: Path, kind: str) -> None:
    animated(head)
    hide("ears")
    path = tmp_path / f"head.{kind}"
    ops.synergyface.export_head(filepath=str(path), file_format=kind)
    scene: Any = bpy.context.scene
    wanted = []
    for frame in (10, 40, 70):
        scene.frame_set(frame)
        wanted.append(in_world(head).mean(axis=0))
    again = read_again(path)
    scene = bpy.context.scene
    # FBX keeps frames, to which Blender's importer adds one; glTF has seconds only, and Blender
    # lets them begin where they did, at 0 or at 1.
    starts = {"fbx": [11], "glb": [10, 1, 0]}[kind]
    found = []
    for start in starts:
        places = []
        for frame in (0, 30, 60):
            scene.frame_set(start + frame)
            places.append(in_world(again).mean(axis=0))
        found.append(np.abs(np.array(places) - wanted).max())
    assert min(found) < 1e-3, found


@pytest.mark.usefixtures("gltf_exporter")
def test_without_motion(head: Any, tmp_path: Path) -> None:
    animated(head)
    path = tmp_path / "head.glb"
    ops.synergyface.export_head(filepath=str(path), motion=False)
    read_again(path)
    assert not bpy.data.actions


def test_the_table_says_what_the_keys_say(head: Any, tmp_path: Path) -> None:
    animated(head)
    head.parent.rotation_quaternion = (0, 1, 0, 0)
    path = tmp_path / "motion.csv"
    ops.synergyface.export_motion(filepath=str(tmp_path / "motion"))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == list(range(10, 71))
    columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    np.testing.assert_allclose(columns["seconds"], np.arange(61) / 30, atol=1e-6)
    np.testing.assert_allclose(columns["location_z"], np.arange(61) / 60, atol=1e-6)
    np.testing.assert_allclose(columns["Expression_02"], np.arange(61) / 30, atol=1e-6)
    assert (columns["Expression_03"] == 0.5).all()
    assert (columns["rotation_x"] == 1).all() and not columns["rotation_w"].any()
    assert len(rows[0]) == 2 + 3 + 4 + N_KEYS


def test_the_table_is_offered_with_an_animation_only(head: Any) -> None:
    poll = ops.synergyface.export_motion.poll
    assert not poll() and ops.synergyface.export_head.poll()
    head.data.shape_keys.key_blocks["Expression_02"].keyframe_insert("value", frame=3)
    assert poll()
    head.data.shape_keys.animation_data_clear()
    assert not poll()
    head.parent.keyframe_insert("location", frame=3)
    assert poll()
    count = len(bpy.data.actions)
    other = bpy.data.actions.new("empty")
    head.parent.animation_data.action = other
    assert not poll() and len(bpy.data.actions) == count + 1
    if hasattr(other, "layers"):
        assert not other.layers and not other.slots, "who asks makes nothing"
    head.parent = None
    assert not poll()


@pytest.mark.usefixtures("gltf_exporter")
@pytest.mark.parametrize("kind", ["glb", "fbx"])
@pytest.mark.parametrize("how", ["by its eye", "in viewports", "from selection"])
def test_a_hidden_empty_still_moves_the_head(
    head: Any, tmp_path: Path, kind: str, how: str
) -> None:
    empty = animated(head).parent
    empty.hide_set(how == "by its eye")
    empty.hide_viewport = how == "in viewports"
    empty.hide_select = how == "from selection"
    path = tmp_path / f"head.{kind}"
    assert ops.synergyface.export_head(filepath=str(path), file_format=kind) == {"FINISHED"}
    hidden = (empty.hide_get(), empty.hide_viewport, empty.hide_select)
    assert hidden == (how == "by its eye", how == "in viewports", how == "from selection")
    again = read_again(path)
    scene: Any = bpy.context.scene
    heights = []
    # Before the first key and behind the last one.
    for frame in (0, 80):
        scene.frame_set(frame)
        heights.append(again.matrix_world.translation.z)
    assert heights == pytest.approx([0, 1], abs=1e-3)


def test_an_empty_that_the_view_layer_does_not_have_is_named(head: Any, tmp_path: Path) -> None:
    away = bpy.data.collections.new("away")
    away.objects.link(head.parent)
    bpy.context.scene.collection.objects.unlink(head.parent)
    with pytest.raises(RuntimeError, match="'somebody pose' is hidden"):
        ops.synergyface.export_head(filepath=str(tmp_path / "head.glb"))


def test_what_cannot_be_exported_is_explained(head: Any, tmp_path: Path) -> None:
    old = tmp_path / "head.glb"
    old.write_bytes(b"old")
    target = str(old)

    def refuses(reason: str, operator: str = "export_head", **options: Any) -> None:
        with pytest.raises(RuntimeError, match=reason):
            getattr(ops.synergyface, operator)(**{"filepath": target, **options})
        assert old.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1

    refuses("No file is given", filepath="")
    refuses("There is no folder", filepath=str(tmp_path / "none" / "head.glb"))
    refuses("is not animated", "export_motion")
    head.hide_set(True)
    refuses("is hidden. Show it")
    head.hide_set(False)
    bpy.ops.object.mode_set(mode="EDIT")
    refuses("is being edited. Switch")
    bpy.ops.object.mode_set(mode="OBJECT")
    decimate: Any = head.modifiers.new("Decimate", "DECIMATE")
    decimate.ratio = 0.5
    head.data.shape_keys.key_blocks["Expression_04"].value = 3
    animated(head).parent.rotation_mode = "XYZ"
    refuses("is not Quaternion", "export_motion")


def test_a_full_disk_leaves_the_old_file(
    head: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "head.glb"
    old.write_bytes(b"old")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(submodule("scene.export"), "_write_glb", fail)
    with pytest.raises(RuntimeError, match=r"No space left on device.*free some space"):
        ops.synergyface.export_head(filepath=str(old))
    assert [path.name for path in tmp_path.iterdir()] == ["head.glb"]
    assert old.read_bytes() == b"old"
    assert head.visible_get() and head.data.shape_keys is not None
