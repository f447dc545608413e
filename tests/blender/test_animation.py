"""Keys of tracked clips: times, values, gaps, actions, recordings; with the fake backend's film."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops, slowness, submodule
from fake_backend import dome, face, film, film_track
from test_scene import put

SOURCE = "/clips/somebody.mp4"
RATES = {"23.976": 24000 / 1001, "25": 25.0, "29.97": 30000 / 1001, "60": 60.0}
POSE = [("rotation_quaternion", i) for i in range(4)] + [("location", i) for i in range(3)]
EXPRESSION = [(f'key_blocks["Expression_{i:02d}"].value', 0) for i in range(10)]


def clip(name: str = "somebody") -> Any:
    """A clip that only has a name."""
    path = Path(SOURCE).with_stem(name)
    return submodule("scene.clip").Clip(name, path, path)


def style(**values: Any) -> Any:
    """Without smoothing, unless it is given."""
    usual = submodule("exchange.smoothing").Strengths()
    strengths = type(usual)(**dict.fromkeys(vars(usual), 0.0))
    return submodule("motion.recording").Style(**({"strengths": strengths} | values))


def perform(
    scene: Any,
    result: Any,
    target: Any = None,
    staging: Any = None,
    clip_name: str = "somebody",
    **values: Any,
) -> Any:
    """Put a tracked clip into the scene."""
    module = submodule("scene.clip_animation")
    return module.perform(
        scene,
        scene.collection,
        clip(clip_name),
        dome(),
        result,
        result.tracks,
        target,
        staging or module.Staging(style(**values)),
    )


def curves(head: Any) -> dict[tuple[str, int], Any]:
    """F-curves of a head, by path and index, as Blender itself finds them."""
    compat = submodule("scene.compat")
    found = {}
    for block in (head.parent, head.data.shape_keys):
        for curve in compat.curves_of(block.animation_data.action, block):
            found[curve.data_path, curve.array_index] = curve
    return found


def keys(curve: Any) -> np.ndarray:
    """(N, 2) frames and values."""
    return np.array([point.co[:] for point in curve.keyframe_points])


def at_frame(scene: Any, frame: float) -> None:
    """Go there, fraction included."""
    whole = int(np.floor(frame))
    scene.frame_set(whole, subframe=frame - whole)


@pytest.mark.parametrize("rate", [*RATES, "variable"])
@pytest.mark.parametrize("fps", [(24, 1.0), (30, 1.001), (60, 1.0)])
def test_keys_lie_where_the_timestamps_say(
    scene: bpy.types.Scene, rate: str, fps: tuple[int, float]
) -> None:
    times = np.arange(90) / RATES.get(rate, 30.0)
    if rate == "variable":
        times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.06, 90))
    scene.render.fps, scene.render.fps_base = fps
    [head] = perform(scene, film(times, 29.0), start=11.0, first_second=0.25)
    expected = 11 + (times - 0.25) * fps[0] / fps[1]
    found = curves(head)
    assert sorted(found) == sorted(POSE + EXPRESSION)
    for curve in found.values():
        np.testing.assert_allclose(keys(curve)[:, 0], expected, atol=1e-3)
        assert {point.interpolation for point in curve.keyframe_points} == {"LINEAR"}
    # What Blender shows at a time is what the film says of it: yaw is about Blender's Z.
    for number in (3, 40, 77):
        at_frame(scene, expected[number])
        yaw = head.parent.matrix_world.to_euler().z
        assert yaw == pytest.approx(np.radians(30) * np.sin(2 * np.pi * times[number]), abs=1e-3)
        value = head.data.shape_keys.key_blocks["Expression_00"].value
        assert value == pytest.approx(2 * np.sin(2 * np.pi * times[number]), abs=5e-3)


def test_the_scene_takes_the_clips_rate_and_length(scene: bpy.types.Scene) -> None:
    module = submodule("scene.clip_animation")
    for rate, (fps, base) in {24000 / 1001: (24, 1.001), 25.0: (25, 1), 12.5: (12, 0.96)}.items():
        times = np.arange(100) / rate
        [head] = perform(
            scene, film(times, rate), staging=module.Staging(style(), use_scene_rate=True)
        )
        assert scene.render.fps == fps
        assert scene.render.fps_base == pytest.approx(base, rel=1e-6)
        assert (scene.frame_start, scene.frame_end) == (1, 100)
        np.testing.assert_allclose(
            keys(curves(head)["location", 0])[:, 0], np.arange(1, 101), atol=1e-3
        )


@pytest.mark.parametrize("rate", [60_000.0, 0.0])
def test_a_rate_that_no_film_has_is_measured(scene: bpy.types.Scene, rate: float) -> None:
    """Raw DV says 60,000; Blender takes 32,767 at most, and a scene at that cannot be played."""
    module = submodule("scene.clip_animation")
    staging = module.Staging(style(), use_scene_rate=True)
    [head] = perform(scene, film(np.arange(50) / 25, rate), staging=staging)
    assert scene.render.fps == 25 and scene.render.fps_base == pytest.approx(1)
    assert (scene.frame_start, scene.frame_end) == (1, 50)
    np.testing.assert_allclose(keys(curves(head)["location", 0])[:, 0], np.arange(1, 51), atol=1e-3)


def test_without_any_usable_rate_the_scene_keeps_its_own(scene: bpy.types.Scene) -> None:
    module = submodule("scene.clip_animation")
    scene.render.fps, scene.render.fps_base = 24, 1.0
    staging = module.Staging(style(), use_scene_rate=True)
    perform(scene, film(np.arange(50) / 60_000, 60_000.0), staging=staging)
    assert (scene.render.fps, scene.render.fps_base) == (24, 1.0)
    assert (scene.frame_start, scene.frame_end) == (1, 2)


def test_a_whole_clip_is_written_at_once(scene: bpy.types.Scene) -> None:
    """300 frames by 17 channels in 20 ms of processor time, so that others' work does not count."""
    times = np.arange(300) / 30
    [head] = perform(scene, film(times, 30.0))
    module = submodule("scene.animation")
    made = submodule("motion.keyframes").keyframes(
        submodule("motion.recording").unpack(head.parent.animation_data.action[module.RECORDING]),
        style(),
        30.0,
        submodule("scene.key_sets").BFM.names,
    )
    action = head.parent.animation_data.action
    other = head.data.shape_keys.animation_data.action
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        module._write_pose(action, head.parent, made)
        module._write_expression(other, head, made)
        seconds.append(time.process_time() - begun)
    print(f"17 x 300 keys in {1000 * min(seconds):.1f} ms of processor time")
    assert sum(len(curve.keyframe_points) for curve in curves(head).values()) == 17 * 300
    assert min(seconds) / slowness() < 0.020


def test_keys_are_computed_once_for_each_face(
    scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, smoothed = submodule("motion.keyframes"), []
    smooth = module.smooth
    monkeypatch.setattr(module, "smooth", lambda *a: smoothed.append(a) or smooth(*a))
    times, performance = np.arange(50) / 12.5, submodule("scene.clip_animation")
    result = film(times, 12.5, film_track(times), film_track(times, 1))
    staging = performance.Staging(style(), use_scene_rate=True)
    heads = perform(scene, result, staging=staging)
    assert len(smoothed) == 2
    # And at the rate that the scene has got by them.
    for head in heads:
        frames = keys(curves(head)["location", 0])[:, 0]
        np.testing.assert_allclose(frames, np.arange(1, 51), atol=1e-3)


def test_a_head_shows_its_keys_before_the_frame_changes(scene: bpy.types.Scene) -> None:
    """Not the expression of the photo that it was made from, or that it gets anew."""
    times = np.arange(50) / 25
    scene.render.fps = 25
    scene.frame_set(7)
    [head] = put(scene, face(100, expression=1.5))

    def shown() -> tuple[float, float]:
        bpy.context.view_layer.update()
        key = head.data.shape_keys.key_blocks["Expression_00"]
        return key.value, head.parent.matrix_world.to_euler().z

    assert shown() == pytest.approx((1.5, 0))
    perform(scene, film(times, 25.0), head)
    # 6 frames after the first.
    wave = np.sin(2 * np.pi * 6 / 25)
    assert shown() == pytest.approx((2 * wave, np.radians(30) * wave), abs=1e-4)
    put(scene, face(100, expression=1.5))
    assert shown() == pytest.approx((2 * wave, np.radians(30) * wave), abs=1e-4)
    bpy.context.view_layer.objects.active = head
    ops.synergyface.smooth_again(gain=0.5)
    assert shown() == pytest.approx((wave, np.radians(30) * wave), abs=1e-4)
    with pytest.raises(RuntimeError, match=r"is animated.*Unlink the action"):
        ops.synergyface.apply_photo_pose()


def test_rotations_never_take_the_long_way(scene: bpy.types.Scene) -> None:
    times = np.arange(60) / 30
    turning = film_track(times)
    angle = 2 * np.pi * times  # two whole turns: the quaternion with w >= 0 jumps in sign
    quaternions = np.stack([np.cos(angle / 2), 0 * angle, 0 * angle, np.sin(angle / 2)], 1)
    quaternions *= np.where(quaternions[:, :1] < 0, -1, 1)
    object.__setattr__(turning, "quaternions", quaternions.astype(np.float32))
    [head] = perform(scene, film(times, 30.0, turning))
    columns = [keys(curves(head)["rotation_quaternion", index])[:, 1] for index in range(4)]
    steps = np.linalg.norm(np.diff(np.stack(columns, 1), axis=0), axis=1)
    assert steps.max() < 0.2
    for frame in np.linspace(1, 45, 30):
        at_frame(scene, frame)
        expected = 2 * np.pi * (frame - 1) / 24
        turn = head.parent.matrix_world.to_euler().z - expected
        assert abs((turn + np.pi) % (2 * np.pi) - np.pi) < 0.01


def test_gaps_hold_the_last_value_and_are_marked(scene: bpy.types.Scene) -> None:
    times = np.arange(100) / 24
    result = film(times, 24.0, film_track(times, gaps=slice(40, 60)))
    [head] = perform(scene, result)
    for curve in curves(head).values():
        frames = keys(curve)[:, 0]
        assert not ((frames > 40.5) & (frames < 60.5)).any()
        points = {round(point.co[0]): point for point in curve.keyframe_points}
        assert (points[40].interpolation, points[40].type) == ("CONSTANT", "EXTREME")
        assert (points[61].interpolation, points[61].type) == ("LINEAR", "EXTREME")
        assert points[20].type == "KEYFRAME"
    at_frame(scene, 40)
    before = head.parent.matrix_world.copy()
    at_frame(scene, 59.9)
    assert np.allclose(head.parent.matrix_world, before)
    action = head.parent.animation_data.action
    markers = {marker.name: marker.frame for marker in action.pose_markers}
    assert markers == {"Face lost": 40, "Face found": 61}
    perform(scene, film(times, 24.0))
    assert not action.pose_markers, "there is no gap any more"


def test_the_motion_begins_where_the_head_stands(scene: bpy.types.Scene) -> None:
    times = np.arange(50) / 25
    [head] = put(scene, face(100))
    empty = head.parent
    empty.rotation_mode = "XYZ"
    empty.location, empty.rotation_euler = (1.0, 2.0, 3.0), (0, 0, np.pi / 2)
    scene.render.fps = 25
    assert perform(scene, film(times, 25.0), head) == [head]
    scene.frame_set(1)
    np.testing.assert_allclose(empty.matrix_world.translation, (1, 2, 3), atol=1e-6)
    # 16 px a second at 1600 px per metre: a centimetre to the right, which is now +Y.
    at_frame(scene, 26)
    np.testing.assert_allclose(empty.matrix_world.translation, (1, 2.01, 3), atol=1e-5)
    np.testing.assert_allclose(empty.matrix_world.to_euler().z, np.pi / 2, atol=1e-3)
    # Again, with the head somewhere in its motion: it begins where it did.
    at_frame(scene, 40)
    perform(scene, film(times, 25.0), head)
    scene.frame_set(1)
    np.testing.assert_allclose(empty.matrix_world.translation, (1, 2, 3), atol=1e-6)


def test_the_photos_pose_is_no_part_of_the_motion(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head
    ops.synergyface.apply_photo_pose()
    perform(scene, film(np.arange(50) / 25, 25.0), head)
    scene.frame_set(1)
    np.testing.assert_allclose(head.parent.matrix_world, np.eye(4), atol=1e-6)


def test_a_head_of_a_photo_keeps_its_looks(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(100, width=1.3))
    image = head.data.materials[0].node_tree.nodes["SynergyFace Texture"].image
    perform(scene, film(np.arange(50) / 25, 25.0), head)
    assert np.ptp([v.co.x for v in head.data.vertices]) == pytest.approx(
        1.3 * np.ptp(dome().mean[:, 0]), rel=1e-5
    )
    assert colour(image) == pytest.approx((200, 150, 120), abs=0.6)
    module = submodule("scene.clip_animation")
    staging = module.Staging(style(), use_texture=True)
    perform(scene, film(np.arange(50) / 25, 25.0), head, staging)
    assert colour(image) == pytest.approx((120, 150, 200), abs=0.6)


def test_a_head_without_a_texture_is_not_magenta(scene: bpy.types.Scene) -> None:
    times = np.arange(50) / 25
    bare = film_track(times)
    object.__setattr__(bare, "texture_png", np.zeros(0, np.uint8))
    [head] = perform(scene, film(times, 25.0, bare))
    tree = head.data.materials[0].node_tree
    colours = tree.nodes["Principled BSDF"].inputs["Base Color"]
    assert not colours.is_linked
    perform(scene, film(times, 25.0))
    assert colours.is_linked and tree.nodes["SynergyFace Texture"].image.packed_file


def colour(image: Any) -> tuple[float, ...]:
    """Of the first pixel, 0 to 255."""
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    return tuple(255 * pixels[:3])


def test_several_faces_stand_to_each_other_as_in_the_clip(scene: bpy.types.Scene) -> None:
    times = np.arange(50) / 25
    result = film(times, 25.0, film_track(times), film_track(times, 1))
    left, right = perform(scene, result)
    scene.frame_set(1)
    apart = right.parent.matrix_world.translation - left.parent.matrix_world.translation
    assert tuple(apart) == pytest.approx((100 / 1600, 0, 0), abs=1e-6)
    assert [action.name for action in bpy.data.actions if "expression" not in action.name] == [
        "somebody face 0",
        "somebody face 1",
    ]
    assert perform(scene, result) == [left, right], "the same heads, on the same clip again"
    assert len(scene.objects) == 4


def test_the_same_clip_replaces_its_action_and_no_other(scene: bpy.types.Scene) -> None:
    times = np.arange(50) / 25
    [head] = put(scene, face(100))
    empty: Any = head.parent
    empty.location.x = 5
    empty.keyframe_insert("location", frame=3)
    own = empty.animation_data.action
    empty.animation_data.nla_tracks.new().strips.new("theirs", 1, own)
    perform(scene, film(times, 25.0), head)
    action = empty.animation_data.action
    assert own.name in bpy.data.actions and own.use_fake_user and action.use_fake_user
    assert empty.animation_data.nla_tracks[0].strips[0].action == own
    actions = set(bpy.data.actions)
    curves(head)["location", 0].modifiers.new("NOISE").strength = 0
    perform(scene, film(times[:20], 25.0), head)
    assert set(bpy.data.actions) == actions
    assert empty.animation_data.action == action
    assert {len(curve.keyframe_points) for curve in curves(head).values()} == {20}
    assert len(curves(head)["location", 0].modifiers) == 1, "what the user did to it stays"
    module = submodule("scene.animation")
    other = module.FaceOfClip("/clips/other.mp4", 0, "other")
    result = film(times, 25.0)
    recording = submodule("motion.recording").record(result, result.tracks[0])
    module.animate(head, other, recording, style(), 25.0)
    assert empty.animation_data.action != action
    assert len(keys_of_action(action, empty)) == 20


def keys_of_action(action: Any, block: Any) -> Any:
    """Keys of the first curve by which an action moves a data-block."""
    return submodule("scene.compat").curves_of(action, block)[0].keyframe_points


def test_strong_expressions_are_not_cut_off(scene: bpy.types.Scene) -> None:
    times = np.arange(48) / 24
    [head] = perform(scene, film(times, 24.0))
    key = head.data.shape_keys.key_blocks["Expression_00"]
    assert (key.slider_min, key.slider_max) == (-3, 3)
    first = head.parent.animation_data.action
    peak = 1 + 24 / 4  # sin(2 pi t) = 1

    def shift() -> np.ndarray:
        """How far the expression moves the vertices at its peak."""
        at_frame(scene, peak)
        graph = bpy.context.evaluated_depsgraph_get()
        mesh: Any = head.evaluated_get(graph).to_mesh()
        found = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", found)
        return found.reshape(-1, 3) - dome().mean

    basis = dome().expression_basis[0]
    np.testing.assert_allclose(shift(), 2 * basis, atol=2e-5)
    # Another clip needs 14 standard deviations: more than Blender's sliders hold.
    module, result = submodule("scene.animation"), film(times, 24.0, film_track(times, peak=14.0))
    recording = submodule("motion.recording").record(result, result.tracks[0])
    module.animate(head, module.FaceOfClip("/clips/loud.mp4", 0, "loud"), recording, style(), 24.0)
    assert (key.slider_min, key.slider_max) == (-10, 10)
    np.testing.assert_allclose(shift(), 14 * basis, atol=2e-4)
    # The first clip's action still means what it meant.
    for action in bpy.data.actions:
        if action.get("synergyface_source") == first["synergyface_source"]:
            for block in (head.parent, head.data.shape_keys):
                if submodule("scene.compat").fits(action, block):
                    submodule("scene.compat").use_action(action, block)
    np.testing.assert_allclose(shift(), 2 * basis, atol=2e-5)


@pytest.mark.parametrize("fault", ["edited", "tweaked", "keyless", "orphan", "faceless"])
def test_what_cannot_be_animated_is_left_as_it_is(scene: bpy.types.Scene, fault: str) -> None:
    times = np.arange(50) / 25
    [head] = put(scene, face(100))
    perform(scene, film(times, 25.0), head)
    empty: Any = head.parent
    before, result = keys(curves(head)["location", 0]), film(times[:20], 25.0)
    bpy.context.view_layer.objects.active = head
    location = curves(head)["location", 0]
    if fault == "edited":
        bpy.ops.object.mode_set(mode="EDIT")
    elif fault == "tweaked":
        animation = empty.animation_data
        action = animation.action
        animation.action = None
        track = animation.nla_tracks.new()
        track.strips.new("strip", 1, action).select = True
        track.select = True
        animation.nla_tracks.active = track
        animation.use_tweak_mode = True
        assert animation.use_tweak_mode
    elif fault == "keyless":
        head.shape_key_remove(head.data.shape_keys.key_blocks["Expression_04"])
    elif fault == "orphan":
        head.parent = None
    else:
        result = film(times, 25.0, film_track(times, gaps=slice(None)))
    count = len(bpy.data.actions), len(bpy.data.objects)
    with pytest.raises(submodule("problems").Problem):
        perform(scene, result, head)
    if fault == "edited":
        bpy.ops.object.mode_set(mode="OBJECT")
    assert (len(bpy.data.actions), len(bpy.data.objects)) == count
    np.testing.assert_array_equal(keys(location), before)
