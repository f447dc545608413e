"""Clips on whole heads: the 52 keys in bulk, gains by group, calibration, recordings of before."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops, slowness, submodule
from fake_backend import amounts_of, face, film, film_track, whole_head
from test_animation import at_frame, curves, keys, perform, style
from test_scene import put
from test_whole_head import names, parts_of, put_source

TIMES = np.arange(50) / 25
RESTS = {"jawOpen": 0.2, "eyeBlinkLeft": 0.1, "browInnerUp": 0.4}


def values(head: Any, key: str) -> np.ndarray:
    """(N,) of the F-curve of an expression key."""
    return keys(curves(head)[f'key_blocks["{key}"].value', 0])[:, 1]


def track(**amounts: np.ndarray) -> Any:
    """A face whose keys go as given, one number for each of `TIMES`."""
    whole = whole_head()
    rows = np.zeros((len(TIMES), len(whole.keys.names)), np.float32)
    for name, column in amounts.items():
        rows[:, whole.keys.names.index(name)] = column
    return replace(film_track(TIMES, whole=whole), amounts=rows)


def animated(scene: Any, *tracks: Any, **options: Any) -> Any:
    scene.render.fps, scene.render.fps_base = 25, 1.0
    [head] = perform(scene, film(TIMES, 25.0, *tracks), **options)
    bpy.context.view_layer.objects.active = head
    return head


def test_a_new_head_of_a_clip_is_whole_and_moves(scene: bpy.types.Scene) -> None:
    head = animated(scene, film_track(TIMES, whole=whole_head()))
    assert set(parts_of(head)) and len(curves(head)) == 7 + 52
    jaw = np.sin(2 * np.pi * TIMES) ** 2
    np.testing.assert_allclose(values(head, "jawOpen"), jaw, atol=1e-6)
    assert not values(head, "mouthSmileRight").any()
    at_frame(scene, 1 + 6)
    tongue = parts_of(head)["tongue"].data.shape_keys.key_blocks["jawOpen"]
    assert tongue.value == pytest.approx(jaw[6], abs=1e-5)


def test_a_head_plays_in_the_keys_that_it_has(scene: bpy.types.Scene) -> None:
    [old] = put(scene, face(100))
    wave = np.sin(2 * np.pi * TIMES)
    animated(scene, film_track(TIMES, whole=whole_head()), target=old)
    np.testing.assert_allclose(values(old, "Expression_00"), 2 * wave, atol=1e-5)
    assert len(curves(old)) == 7 + 10 and not parts_of(old)
    [named] = put_source(scene, "/photos/other.png", face(100, parts=True, amounts={}))
    with pytest.raises(submodule("problems").Problem, match="without the named expression keys"):
        perform(scene, film(TIMES, 25.0), named)
    assert named.data.shape_keys.animation_data is None


def test_amounts_without_a_whole_head_are_kept(scene: bpy.types.Scene) -> None:
    [named] = put_source(scene, "/photos/other.png", face(100, parts=True, amounts={}))
    rows = np.zeros((len(TIMES), 52), np.float32)
    rows[:, names().index("jawOpen")] = TIMES / 4
    animated(scene, replace(film_track(TIMES), amounts=rows), target=named)
    np.testing.assert_allclose(values(named, "jawOpen"), TIMES / 4, atol=1e-6)


def test_gaps_hold_the_last_value(scene: bpy.types.Scene) -> None:
    head = animated(scene, film_track(TIMES, whole=whole_head(), gaps=slice(10, 20)))
    assert len(values(head, "jawOpen")) == 40 and np.isfinite(values(head, "jawOpen")).all()


def test_a_whole_clip_is_written_at_once(scene: bpy.types.Scene) -> None:
    """300 frames by 59 channels in 60 ms of processor time, so that others' work does not count."""
    times = np.arange(300) / 30
    [head] = perform(scene, film(times, 30.0, film_track(times, whole=whole_head())))
    module = submodule("scene.animation")
    action = head.parent.animation_data.action
    other = head.data.shape_keys.animation_data.action
    recording = submodule("motion.recording").unpack(action[module.RECORDING])
    made = submodule("motion.keyframes").keyframes(recording, style(), 30.0, tuple(names()))
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        module._write_pose(action, head.parent, made)
        module._write_expression(other, head, made)
        seconds.append(time.process_time() - begun)
    print(f"59 x 300 keys in {1000 * min(seconds):.1f} ms of processor time")
    assert sum(len(curve.keyframe_points) for curve in curves(head).values()) == 59 * 300
    assert min(seconds) / slowness() < 0.060


def test_groups_have_gains_of_their_own(scene: bpy.types.Scene) -> None:
    head = animated(scene, track(jawOpen=0.25 + 0 * TIMES, eyeBlinkLeft=0.5 + 0 * TIMES))
    ops.synergyface.smooth_again(mouth_gain=2.0, gain=1.5)
    np.testing.assert_allclose(values(head, "jawOpen"), 0.75, atol=1e-6)
    np.testing.assert_allclose(values(head, "eyeBlinkLeft"), 0.75, atol=1e-6)
    ops.synergyface.smooth_again(lids_gain=3.0, gain=1.0)
    np.testing.assert_allclose(values(head, "jawOpen"), 0.5, atol=1e-6)
    np.testing.assert_allclose(values(head, "eyeBlinkLeft"), 1.5, atol=1e-6)
    # What is more than all of it is shown, too.
    at_frame(scene, 5)
    assert head.data.shape_keys.key_blocks["eyeBlinkLeft"].value == pytest.approx(1.5)


def test_smoothing_keeps_blinks_and_calms_lips(scene: bpy.types.Scene) -> None:
    blink = np.where((np.arange(50) // 2) % 12 == 5, 0.95, 0.05)
    noise = 0.4 + 0.02 * np.random.default_rng(1).standard_normal(50)
    head = animated(scene, track(eyeBlinkLeft=blink, jawOpen=noise))
    np.testing.assert_allclose(values(head, "jawOpen"), noise, atol=1e-6)
    ops.synergyface.smooth_again(lids=0.5, mouth=0.5)
    assert np.std(np.diff(values(head, "jawOpen"))) < 0.5 * np.std(np.diff(noise))
    np.testing.assert_allclose(values(head, "eyeBlinkLeft"), blink, atol=0.02)


def test_calibration_makes_a_frame_neutral_and_can_be_taken_back(scene: bpy.types.Scene) -> None:
    wave = np.clip(np.sin(2 * np.pi * TIMES), 0, 1) * (TIMES > 0.99)
    measured = {name: rest + (1 - rest) * wave for name, rest in RESTS.items()}
    head = animated(scene, track(**measured))
    scene.frame_set(6)
    assert ops.synergyface.calibrate() == {"FINISHED"}
    for name in RESTS:
        # At rest nothing, and what was all of it is so still.
        np.testing.assert_allclose(values(head, name), wave, atol=2e-3)
    style_of = submodule("scene.animation").style_of
    action = head.parent.animation_data.action
    assert style_of(action).neutral == pytest.approx(5 / 25)
    # Smoothing leaves it.
    ops.synergyface.smooth_again(gain=0.5)
    np.testing.assert_allclose(values(head, "jawOpen"), 0.5 * wave, atol=2e-3)
    ops.synergyface.calibrate(action="RESET")
    np.testing.assert_allclose(values(head, "jawOpen"), 0.5 * measured["jawOpen"], atol=1e-5)


def test_the_ten_are_calibrated_too(scene: bpy.types.Scene) -> None:
    head = animated(scene, film_track(TIMES))
    scene.frame_set(7)
    ops.synergyface.calibrate()
    wave = 2 * np.sin(2 * np.pi * TIMES)
    shifted = values(head, "Expression_00") - wave
    assert np.ptp(shifted) < 1e-5 and shifted[0] == pytest.approx(-wave[6], abs=0.1)


def test_recordings_of_before_are_read(scene: bpy.types.Scene) -> None:
    module, wire = submodule("motion.recording"), submodule("exchange.contract")
    recording = module.record(film(TIMES, 25.0), film_track(TIMES))
    envelope, arrays = wire.decode(module._decompress(module.pack(recording)))
    import zlib

    old = zlib.compress(wire.encode(envelope | {"version": 1}, arrays))
    again = module.unpack(old)
    assert again.motion.keys.shape == (50, 0)
    np.testing.assert_array_equal(again.motion.expression, recording.motion.expression)
    old_style = (
        '{"strengths": {"rotation": 0.1, "position": 0.2, "expression": 0.3}, "gain": 2.0, '
        '"focal_length": 50.0, "matched": false, "start": 1.0, "first_second": 0.0}'
    )
    read = module.unpack_style(old_style)
    assert (read.strengths.expression, read.gain, read.neutral) == (0.3, 2.0, None)
    future = zlib.compress(wire.encode(envelope | {"version": 99}, arrays))
    with pytest.raises(submodule("problems").Problem, match="another version"):
        module.unpack(future)


def test_the_amounts_travel_with_the_action(scene: bpy.types.Scene) -> None:
    head = animated(scene, track(jawOpen=TIMES / 4))
    module = submodule("scene.animation")
    data = head.parent.animation_data.action[module.RECORDING]
    motion = submodule("motion.recording").unpack(data).motion
    assert motion.keys.shape == (50, 52)
    np.testing.assert_allclose(motion.keys[:, names().index("jawOpen")], TIMES / 4, atol=1e-6)


def test_the_table_has_the_keys_names(scene: Any, tmp_path: Any) -> None:
    animated(scene, track(jawOpen=TIMES / 4))
    ops.synergyface.export_motion(filepath=str(tmp_path / "motion.csv"))
    rows = np.genfromtxt(tmp_path / "motion.csv", delimiter=",", names=True)
    assert list(rows.dtype.names or ())[9:] == names()
    np.testing.assert_allclose(rows["jawOpen"], TIMES / 4, atol=1e-5)


def test_the_expression_goes_to_neutral_and_back(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(100, parts=True, amounts={"jawOpen": 0.25, "cheekPuff": 0.5}))
    bpy.context.view_layer.objects.active = head
    blocks = head.data.shape_keys.key_blocks
    ops.synergyface.set_expression()
    assert not any(key.value for key in list(blocks)[1:])
    ops.synergyface.set_expression(expression="PHOTO")
    assert (blocks["jawOpen"].value, blocks["cheekPuff"].value) == pytest.approx((0.25, 0.5))
    perform(scene, film(TIMES, 25.0, film_track(TIMES, whole=whole_head())), head)
    with pytest.raises(RuntimeError, match="is animated"):
        ops.synergyface.set_expression()


def test_amounts_are_put_in_order() -> None:
    whole = whole_head()
    ordered = submodule("motion.amounts").in_order(
        whole.keys.names, amounts_of(whole, {"tongueOut": 0.5, "jawOpen": 0.25})
    )
    assert ordered[names().index("tongueOut")] == 0.5 and ordered[names().index("jawOpen")] == 0.25
    assert ordered.sum() == 0.75
