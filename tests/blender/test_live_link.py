"""Takes of Live Link Face: onto heads and characters, out of animations, and what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops, submodule
from fake_backend import face
from mathutils import Matrix
from test_animation import at_frame
from test_named_animation import TIMES, animated, track, values
from test_scene import put
from test_transfer import apart, armature, character, choose, world_turn
from test_whole_head import names

N = 40
SECONDS = np.arange(N) / 60
JAW, LOOK = 0.5 + 0.5 * np.sin(9 * SECONDS), 0.6 * (1 - np.cos(7 * SECONDS)) / 2
YAW, PITCH, ROLL = 0.4 * np.sin(5 * SECONDS), 0.2 * np.cos(3 * SECONDS), 0.3 * np.sin(4 * SECONDS)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """A file as the app writes it."""
    columns = {name[0].upper() + name[1:]: np.zeros(N) for name in names()}
    columns |= {"JawOpen": JAW, "EyeLookOutLeft": LOOK}
    columns |= {"HeadYaw": YAW, "HeadPitch": PITCH, "HeadRoll": ROLL}
    lines = [",".join(["Timecode", "BlendShapeCount", *columns])]
    for row in range(N):
        cells = [f"{column[row]:.6f}" for column in columns.values()]
        lines.append(",".join([f"10:20:{30 + row // 60}:{row % 60:02}.000", "61", *cells]))
    path = tmp_path / "MySlate_3_iPhone.csv"
    path.write_text("\n\n".join(lines) + "\n", "utf-8")
    return path


def app_matrix(row: int) -> np.ndarray:
    """The app's rotation in Blender's axes: R_y(yaw) R_x(pitch) R_z(roll), x left, y up, z out."""

    def about(axis: Any, angle: float) -> np.ndarray:
        return np.array(Matrix.Rotation(angle, 3, axis))

    turned = about("Y", YAW[row]) @ about("X", PITCH[row]) @ about("Z", ROLL[row])
    axes = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    return axes @ turned @ axes.T


def whole(scene: Any) -> Any:
    [head] = put(scene, face(100, parts=True, amounts={}))
    choose(head)
    return head


def test_a_take_moves_a_head(scene: Any, take: Path) -> None:
    head = whole(scene)
    head.parent.location = (1, 2, 3)
    scene.render.fps, scene.render.fps_base = 24, 1.0
    assert ops.synergyface.import_live_link(filepath=str(take), start_frame=11) == {"FINISHED"}
    np.testing.assert_allclose(values(head, "jawOpen"), JAW, atol=1e-5)
    for row in (0, 7, 31):
        at_frame(scene, 11 + 24 * SECONDS[row])
        world = np.array(head.matrix_world)
        np.testing.assert_allclose(world[:3, :3], app_matrix(row), atol=1e-4)
        np.testing.assert_allclose(world[:3, 3], (1, 2, 3), atol=1e-6)
    # Like a film's motion, it can be smoothed, amplified and calibrated afterwards.
    ops.synergyface.smooth_again(mouth_gain=0.5)
    np.testing.assert_allclose(values(head, "jawOpen"), 0.5 * JAW, atol=1e-5)


def test_a_take_moves_a_character_without_a_head(scene: Any, take: Path) -> None:
    scene.render.fps, scene.render.fps_base = 60, 1.0
    mesh, rig = character(scene, "face", ["jaw_open", "other"]), armature(scene)
    settings = scene.synergyface.transfer
    settings.rig, settings.bone, settings.left_eye = rig, "Head", "Eye_L"
    choose(mesh)
    for _ in range(2):
        ops.synergyface.import_live_link(filepath=str(take))
    at_frame(scene, 1 + 21)
    assert mesh.data.shape_keys.key_blocks["jaw_open"].value == pytest.approx(JAW[21], abs=1e-5)
    turned = Matrix(app_matrix(21).tolist()).to_quaternion()
    assert apart(world_turn(rig, "Head"), turned) < 0.05
    assert len(bpy.data.actions) == 2


def test_what_was_animated_here_goes_out_and_comes_back(scene: Any, tmp_path: Path) -> None:
    look = 0.5 + 0 * TIMES
    head = animated(scene, track(jawOpen=TIMES / 4, eyeLookOutLeft=look, eyeLookInRight=look))
    path = tmp_path / "out.csv"
    ops.synergyface.export_live_link(filepath=str(path))
    rows = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    seconds = np.arange(len(rows)) / 60
    assert len(rows) == int(TIMES[-1] * 60) + 1
    np.testing.assert_allclose(rows["JawOpen"], seconds / 4, atol=1e-5)
    # Its yaw is 30 degrees times sin(2 pi t), by straight lines between the film's frames.
    yaw = np.interp(seconds, TIMES, np.radians(30) * np.sin(2 * np.pi * TIMES))
    np.testing.assert_allclose(rows["HeadYaw"], yaw, atol=2e-3)
    gaze = submodule("exchange.expressions").GAZE_DEGREES
    np.testing.assert_allclose(rows["LeftEyeYaw"], np.radians(0.5 * gaze["Out"]), atol=1e-5)
    np.testing.assert_allclose(rows["RightEyeYaw"], np.radians(0.5 * gaze["In"]), atol=1e-5)
    ops.synergyface.import_live_link(filepath=str(path))
    np.testing.assert_allclose(values(head, "jawOpen"), seconds / 4, atol=1e-4)


def test_what_is_no_take_is_explained(scene: Any, tmp_path: Path, take: Path) -> None:
    whole(scene)
    other = tmp_path / "table.csv"
    for content, said in (
        (b"a,b\n1,2\n", "no column Timecode"),
        (b"\xff\xfe\x00", "not a text file"),
        (take.read_bytes().replace(b"0.500000", b"many"), "is no number"),
    ):
        other.write_bytes(content)
        with pytest.raises(RuntimeError, match=said):
            ops.synergyface.import_live_link(filepath=str(other))
    with pytest.raises(RuntimeError, match="There is no file"):
        ops.synergyface.import_live_link(filepath=str(tmp_path / "gone.csv"))
    assert not bpy.data.actions


def test_heads_with_the_ten_keys_cannot_play_it(scene: Any, take: Path) -> None:
    [old] = put(scene, face(100))
    choose(old)
    with pytest.raises(RuntimeError, match="does not have the 52 named keys"):
        ops.synergyface.import_live_link(filepath=str(take))
    bpy.data.objects.remove(old)
    with pytest.raises(RuntimeError, match="No head is selected"):
        ops.synergyface.import_live_link(filepath=str(take))
