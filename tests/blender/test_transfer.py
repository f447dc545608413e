"""A head's motion on characters that are built here: other names, other sizes, other poses."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops, submodule
from layouts import cut_off, drawn
from mathutils import Matrix, Quaternion, Vector
from test_animation import at_frame
from test_named_animation import TIMES, animated, track

OPEN, BLINK = np.clip(np.sin(6 * TIMES), 0, 1), (np.arange(50) % 10 < 3) * 0.9
LOOK = 0.5 * (1 - np.cos(5 * TIMES))


@pytest.fixture
def head(scene: bpy.types.Scene) -> Any:
    """Turns, opens its mouth, blinks, and looks to its left."""
    moved = track(jawOpen=OPEN, eyeBlinkLeft=BLINK, eyeLookOutLeft=LOOK, eyeLookInRight=LOOK)
    made = animated(scene, moved)
    made.parent.rotation_mode = "QUATERNION"
    return made


def character(scene: Any, name: str, keys: list[str]) -> Any:
    """A mesh twice as large as life with keys of those names."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (0.4, 0, 0), (0, 0, 0.5)], [], [(0, 1, 2)])
    made: Any = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(made)
    made.shape_key_add(name="Rest")
    for number, key in enumerate(keys):
        made.shape_key_add(name=key, from_mix=False).points[0].co.x += 0.1 * number
        made.data.shape_keys.key_blocks[key].value = 0
    return made


def armature(scene: Any, *, y_up: bool = False) -> Any:
    """Neck, head and eyes with bones that point and roll as they like; Y up as FBX has it."""
    rig: Any = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    places = {
        "Neck": (None, (0, 0.1, 3.0), (0, 0, 3.3), 0.3),
        "Head": ("Neck", (0, 0, 3.3), (0.05, -0.1, 3.8), 1.1),
        "Eye_L": ("Head", (0.07, -0.2, 3.6), (0.07, -0.4, 3.6), 0.0),
        "Eye_R": ("Head", (-0.07, -0.2, 3.6), (-0.07, -0.2, 3.9), 0.7),
    }
    turn = Matrix.Rotation(-np.pi / 2, 3, "X") if y_up else Matrix.Identity(3)
    for name, (parent, tail, tip, roll) in places.items():
        bone = rig.data.edit_bones.new(name)
        bone.head, bone.tail, bone.roll = turn @ Vector(tail), turn @ Vector(tip), roll
        bone.parent = rig.data.edit_bones[parent] if parent else None
    bpy.ops.object.mode_set(mode="OBJECT")
    if y_up:
        rig.rotation_euler = (np.pi / 2, 0, 0)
    return rig


def choose(*objects: Any) -> None:
    for object in bpy.context.view_layer.objects:
        object.select_set(object in objects)
    bpy.context.view_layer.objects.active = objects[0]


def world_turn(rig: Any, bone: str) -> Quaternion:
    """How a bone is turned from its rest, in the world."""
    world = rig.matrix_world.to_3x3()
    rest = world @ rig.data.bones[bone].matrix_local.to_3x3()
    return (world @ rig.pose.bones[bone].matrix.to_3x3() @ rest.inverted()).to_quaternion()


def yaw(degrees: float) -> Quaternion:
    return Quaternion((0, 0, 1), np.radians(degrees))


def apart(a: Quaternion, b: Quaternion) -> float:
    """Degrees."""
    return float(np.degrees(a.rotation_difference(b).angle)) % 360


def test_meshes_of_any_spelling_move_together(head: Any, scene: bpy.types.Scene) -> None:
    face = character(scene, "face", ["JawOpen", "eye_blink_left", "smirk"])
    teeth = character(scene, "teeth", ["Teeth.jaw_open"])
    lashes = character(scene, "lashes", ["eyeBlink_L", "eyeBlink_R"])
    hat = character(scene, "hat", [])
    choose(head, face, teeth, lashes, hat)
    assert ops.synergyface.transfer() == {"FINISHED"}
    for row in (3, 12, 31):
        at_frame(scene, 1 + row)
        keys = face.data.shape_keys.key_blocks
        assert keys["JawOpen"].value == pytest.approx(OPEN[row], abs=1e-5)
        assert keys["eye_blink_left"].value == pytest.approx(BLINK[row], abs=1e-5)
        assert keys["smirk"].value == 0
        assert teeth.data.shape_keys.key_blocks[1].value == pytest.approx(OPEN[row], abs=1e-5)
        assert lashes.data.shape_keys.key_blocks[1].value == pytest.approx(BLINK[row], abs=1e-5)
    assert hat.data.shape_keys.animation_data is None
    # Again, it fills the same actions.
    actions = len(bpy.data.actions)
    ops.synergyface.smooth_again(gain=2.0)
    ops.synergyface.transfer()
    assert len(bpy.data.actions) == actions
    at_frame(scene, 1 + 12)
    assert face.data.shape_keys.key_blocks["JawOpen"].value == pytest.approx(2 * OPEN[12], abs=1e-5)


def test_what_is_chosen_by_hand_is_remembered_with_the_mesh(
    head: Any, scene: bpy.types.Scene, tmp_path: Any
) -> None:
    face = character(scene, "face", ["Mund auf", "jawOpen"])
    face.data.shape_keys.synergyface.jawOpen = "Mund auf"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "mine.blend"))
    face, scene = bpy.data.objects["face"], bpy.context.scene
    choose(next(o for o in scene.objects if "synergyface_keys" in o), face)
    ops.synergyface.transfer()
    at_frame(scene, 1 + 12)
    keys: Any = face.data
    keys = keys.shape_keys.key_blocks
    assert keys["Mund auf"].value == pytest.approx(OPEN[12], abs=1e-5) and not keys["jawOpen"].value


@pytest.mark.parametrize("y_up", [False, True])
@pytest.mark.parametrize("mode", ["QUATERNION", "YXZ", "AXIS_ANGLE"])
def test_bones_turn_as_the_head_does(head: Any, scene: Any, y_up: bool, mode: str) -> None:
    rig = armature(scene, y_up=y_up)
    for bone in rig.pose.bones:
        bone.rotation_mode = mode
    # Where the head stands and how it was turned before does not matter.
    head.parent.location.x += 3
    choose(head)
    ops.synergyface.transfer(
        rig="rig",
        bone="Head",
        neck_bone="Neck",
        neck_share=0.4,
        left_eye="Eye_L",
        right_eye="Eye_R",
    )
    for row in (3, 10, 40):
        at_frame(scene, 1 + row)
        turned = yaw(30 * np.sin(2 * np.pi * TIMES[row]))
        assert apart(world_turn(rig, "Head"), turned) < 0.05
        assert apart(world_turn(rig, "Neck"), Quaternion().slerp(turned, 0.4)) < 0.05
        gaze = submodule("exchange.expressions").GAZE_DEGREES
        for bone, way in (("Eye_L", "Out"), ("Eye_R", "In")):
            # Looking to the person's left is turning to +X, from -Y.
            expected = turned @ yaw(gaze[way] * LOOK[row])
            assert apart(world_turn(rig, bone), expected) < 0.05


def test_an_object_turns_from_how_it_stood(head: Any, scene: bpy.types.Scene) -> None:
    thing: Any = bpy.data.objects.new("mask", None)
    scene.collection.objects.link(thing)
    stood = Quaternion((0.9, 0.1, 0.3, 0.2)).normalized()
    thing.rotation_mode, thing.rotation_quaternion = "QUATERNION", stood
    choose(head)
    for _ in range(2):
        ops.synergyface.transfer(rig="mask", facing="BACK")
        at_frame(scene, 1 + 10)
        turned = yaw(30 * np.sin(2 * np.pi * TIMES[10]))
        assert apart(thing.matrix_world.to_quaternion(), stood @ turned) < 0.05


def test_what_cannot_be_transferred_is_explained(head: Any, scene: bpy.types.Scene) -> None:
    hat = character(scene, "hat", ["brim"])
    choose(head, hat)
    with pytest.raises(RuntimeError, match=r"No selected mesh has .*ARKit"):
        ops.synergyface.transfer()
    with pytest.raises(RuntimeError, match="no object 'nobody'"):
        ops.synergyface.transfer(rig="nobody")
    armature(scene)
    choose(head)
    with pytest.raises(RuntimeError, match="no bone 'Hat'"):
        ops.synergyface.transfer(rig="rig", bone="Head", neck_bone="Hat")
    assert not [action for action in bpy.data.actions if "synergyface_transferred" in action]


def test_the_panel_lists_meshes_and_bones(head: Any, scene: Any) -> None:
    panels = submodule("panels.transfer")
    assert "Select your character too" in drawn(panels.SYNERGYFACE_PT_transfer).shown
    face = character(scene, "face", ["JawOpen", "eye_blink_left"])
    scene.synergyface.transfer.rig = armature(scene)
    scene.synergyface.transfer.neck_bone = "Neck"
    choose(head, face)
    shown = drawn(panels.SYNERGYFACE_PT_transfer).shown
    assert "face: 2 keys" in shown and {"bone", "neck_share", "left_eye"} <= set(shown)
    assert panels.SYNERGYFACE_PT_key_names.poll(bpy.context)
    assert {"Jaw Open", "Blink L"} <= set(drawn(panels.SYNERGYFACE_PT_key_names).shown)
    for panel in panels.CLASSES:
        assert cut_off(panel) == []


def test_names_are_recognised_and_others_are_not() -> None:
    matched = submodule("motion.key_names").matched
    spellings = {
        "jawOpen": [
            "jawOpen",
            "JawOpen",
            "jaw_open",
            "JAW OPEN",
            "Face.M_jawOpen",
            "blend1:jawOpen",
        ],
        "eyeBlinkLeft": [
            "eyeBlink_L",
            "eyeBlinkLeft",
            "EyeBlink.L",
            "leftEyeBlink",
            "eye-blink-left",
        ],
        "mouthRight": ["mouthRight", "mouth_R", "MouthRight"],
        "jawLeft": ["jaw_L", "jawLeft"],
    }
    for name, forms in spellings.items():
        for form in forms:
            assert matched([form]) == {name: form}, form
    assert matched(["lowerJawOpen", "smile", "L", "jaw", "mouthOpen"]) == {}
    assert matched(["jawOpen", "auf"], {"jawOpen": "auf"}) == {"jawOpen": "auf"}
    assert matched(["jawOpen"], {"jawOpen": "gone"}) == {"jawOpen": "jawOpen"}
