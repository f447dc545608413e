"""Operators and panel of animations, with the fake backend: undo, Esc, failures, Smooth Again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import heads_in, ops, submodule
from fake_backend import face, film, film_track
from layouts import drawn
from modal import TICK, begun, made, press_esc
from test_animation import curves, keys, perform
from test_scene import put


def test_smooth_again_works_on_a_file_from_the_disk(scene: bpy.types.Scene, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    times = np.arange(200) / 25
    noisy = film_track(times)
    noisy.translation[:] += rng.normal(0, 1, noisy.translation.shape)
    [head] = perform(scene, film(times, 25.0, noisy))
    raw = keys(curves(head)["location", 0])[:, 1].copy()
    name = head.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "film.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "film.blend"))
    head = bpy.data.objects[name]
    np.testing.assert_array_equal(keys(curves(head)["location", 0])[:, 1], raw)
    bpy.context.view_layer.objects.active = head
    assert ops.synergyface.smooth_again(position=0.8, gain=1.5) == {"FINISHED"}
    smooth = keys(curves(head)["location", 0])[:, 1]
    # Without the noise it is a straight line, 0.64 mm a frame; 0.625 mm is a pixel.
    line = np.polyval(np.polyfit(times, smooth, 1), times)
    raw_line = np.polyval(np.polyfit(times, raw, 1), times)
    assert np.std(smooth - line) < 0.4 * np.std(raw - raw_line)
    value = keys(curves(head)['key_blocks["Expression_00"].value', 0])[:, 1]
    np.testing.assert_allclose(value, 1.5 * 2 * np.sin(2 * np.pi * times), atol=1e-3)
    # What is not given stays as it is; and the way back is exact.
    ops.synergyface.smooth_again(position=0.0)
    np.testing.assert_array_equal(keys(curves(head)["location", 0])[:, 1], raw)
    again = keys(curves(head)['key_blocks["Expression_00"].value', 0])[:, 1]
    np.testing.assert_array_equal(again, value)


def test_the_button_takes_the_sliders(scene: bpy.types.Scene) -> None:
    rng, times = np.random.default_rng(1), np.arange(50) / 25
    noisy = film_track(times)
    noisy.translation[:] += rng.normal(0, 1, noisy.translation.shape)
    [head] = perform(scene, film(times, 25.0, noisy))
    bpy.context.view_layer.objects.active = head
    sliders: Any = scene
    sliders = sliders.synergyface.animation
    sliders.position, sliders.gain, sliders.rotation = 0.9, 2.0, 0.0
    raw = keys(curves(head)["location", 0])[:, 1].copy()
    module = submodule("operators.animation")
    button = made(module.SYNERGYFACE_OT_smooth_again)
    assert button.invoke(bpy.context, None) == {"FINISHED"} and not button.reports
    smooth = keys(curves(head)["location", 0])[:, 1]
    assert np.std(np.diff(smooth)) < 0.5 * np.std(np.diff(raw))
    style = submodule("scene.animation").style_of(head.parent.animation_data.action)
    assert (style.strengths.rotation, style.gain) == (0.0, 2.0)
    assert style.strengths.position == pytest.approx(0.9)
    assert style.strengths.expression == pytest.approx(sliders.expression)
    # What is adjusted afterwards stands on the sliders too, for the next time.
    ops.synergyface.smooth_again(gain=1.5)
    assert sliders.gain == 1.5 and sliders.position == pytest.approx(0.9)


def test_smooth_again_says_if_nothing_changes(scene: bpy.types.Scene) -> None:
    [head] = perform(scene, film(np.arange(50) / 25, 25.0))
    bpy.context.view_layer.objects.active = head
    module = submodule("operators.animation")
    for said in ([], [({"INFO"}, module.SAME_SMOOTHING)]):
        operator = made(module.SYNERGYFACE_OT_smooth_again, gain=1.5)
        assert operator.execute(bpy.context) == {"FINISHED"}
        assert operator.reports == said


def test_smooth_again_leaves_each_action_where_its_motion_began(scene: bpy.types.Scene) -> None:
    times = np.arange(50) / 25
    [head] = perform(scene, film(times, 25.0))
    empty: Any = head.parent
    first = empty.animation_data.action
    begun = keys(curves(head)["location", 0])
    # The second clip is for the head at another place; then the first one is chosen again.
    empty.animation_data.action = None
    empty.location = (3, 0, 0)
    perform(scene, film(times, 25.0), head, clip_name="other")
    second = keys(curves(head)["location", 0])
    assert second[0, 1] == pytest.approx(3) and begun[0, 1] == pytest.approx(0)
    submodule("scene.compat").use_action(first, empty)
    bpy.context.view_layer.objects.active = head
    ops.synergyface.smooth_again(gain=1.5)
    np.testing.assert_array_equal(keys(curves(head)["location", 0]), begun)


def test_smooth_again_explains_what_it_cannot_do(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head
    with pytest.raises(RuntimeError, match="has no animation from a video"):
        ops.synergyface.smooth_again()
    perform(scene, film(np.arange(50) / 25, 25.0), head)
    action, before = head.parent.animation_data.action, keys(curves(head)["location", 0])
    recording = action["synergyface_recording"]
    for damaged in (recording[:-20], b"nothing", recording[:40] + b"x" + recording[41:]):
        del action["synergyface_recording"]
        action["synergyface_recording"] = damaged
        with pytest.raises(RuntimeError, match="recording of this action is damaged"):
            ops.synergyface.smooth_again(rotation=1.0)
    np.testing.assert_array_equal(keys(curves(head)["location", 0]), before)


def test_the_operator_makes_a_head_in_one_undo_step(
    fake_backend: Callable[[str], None], any_file: str, scene: bpy.types.Scene
) -> None:
    fake_backend("none")
    assert ops.synergyface.animate_from_video(filepath=any_file, start_frame=5) == {"FINISHED"}
    head = bpy.context.view_layer.objects.active
    assert head.name == "somebody head" and head.parent.animation_data.action.name == "somebody"
    assert keys(curves(head)["location", 0])[0, 0] == 5
    rna = ops.synergyface.animate_from_video.get_rna_type()
    options = bpy.types.Operator.bl_rna_get_subclass_py(rna.identifier).bl_options
    assert options == {"UNDO"}
    # It is selected now, so it is the one that a second clip animates.
    again = Path(any_file).with_name("again.mp4")
    again.write_bytes(b"not looked at")
    ops.synergyface.animate_from_video(filepath=str(again))
    assert bpy.context.view_layer.objects.active == head
    assert head.parent.animation_data.action.name == "again"
    ops.synergyface.animate_from_video(filepath=str(again), head="new")
    assert len(heads_in(scene)) == 1, "the head of that clip"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filepath": "/gone.mp4"}, "There is no file .*gone.mp4"),
        ({}, "No video is given"),
        ({"clip": "gone"}, "has no 'gone'"),
        ({"first_second": 3.0, "last_second": 2.0}, "Out .2 s. is not later than In .3 s."),
        (
            {"faces": "number", "number": 4},
            "has no face with the number 4. Choose one of these numbers: 0",
        ),
    ],
)
def test_a_wrong_order_is_explained(
    fake_backend: Callable[[str], None],
    any_file: str,
    scene: bpy.types.Scene,
    options: dict[str, Any],
    message: str,
) -> None:
    fake_backend("none")
    given = {"filepath": any_file} if {"number", "first_second"} & set(options) else {}
    with pytest.raises(RuntimeError, match=message):
        ops.synergyface.animate_from_video(**given, **options)
    assert not scene.objects and not bpy.data.actions


@pytest.fixture
def animated(scene: bpy.types.Scene) -> Iterator[Any]:
    """A head that a clip animates already, and is selected; its keys must stay as they are."""
    [head] = perform(scene, film(np.arange(50) / 25, 25.0))
    bpy.context.view_layer.objects.active = head
    before = {path: keys(curve) for path, curve in curves(head).items()}
    kept = len(bpy.data.actions), len(bpy.data.objects)
    yield head
    assert (len(bpy.data.actions), len(bpy.data.objects)) == kept
    for path, curve in curves(head).items():
        np.testing.assert_array_equal(keys(curve), before[path])


@pytest.mark.parametrize("fault", ["dies", "no-models"])
def test_a_failure_leaves_the_keys(
    fake_backend: Callable[[str], None], any_file: str, animated: Any, fault: str
) -> None:
    fake_backend(fault)
    with pytest.raises(RuntimeError):
        ops.synergyface.animate_from_video(filepath=any_file)


def test_esc_leaves_the_keys(
    fake_backend: Callable[[str], None], any_file: str, animated: Any, preferences: Any
) -> None:
    fake_backend("hangs")
    cls = submodule("operators.animation").SYNERGYFACE_OT_animate_from_video
    operator, context = begun(cls, filepath=any_file, clip="", image="")
    while "Fitting" not in context.shown:
        assert operator.modal(context, TICK) == {"PASS_THROUGH"}
    task = submodule("runtime").runtime().task
    assert press_esc(operator, context) == {"CANCELLED"}
    assert operator.reports == [({"INFO"}, "Animate from Video: cancelled")]
    assert task.join(5)


def test_the_panel_offers_what_can_be_done(scene: bpy.types.Scene) -> None:
    panels = submodule("panels.animate")
    shown = drawn(panels.SYNERGYFACE_PT_animate).shown
    assert {"Animate from Video…", "first_second", "focal_length", "use_camera"} <= set(shown)
    assert "synergyface.smooth_again" not in shown and "number" not in shown
    scene_settings: Any = scene
    scene_settings.synergyface.animation.faces = "number"
    [head] = perform(scene, film(np.arange(50) / 25, 25.0))
    bpy.context.view_layer.objects.active = head
    assert {"synergyface.smooth_again", "number"} <= set(drawn(panels.SYNERGYFACE_PT_animate).shown)
    assert {"rotation", "gain"} <= set(drawn(panels.SYNERGYFACE_PT_smoothing).shown)
    assert "Apply Photo Pose" not in drawn(submodule("panels.head").SYNERGYFACE_PT_head).shown
    with pytest.raises(RuntimeError, match="was not made from a photo"):
        ops.synergyface.apply_photo_pose()


def test_clips_of_the_blend_file(scene: bpy.types.Scene, tmp_path: Path) -> None:
    module = submodule("scene.clip")
    scene.render.fps, scene.render.fps_base = 24, 1.001
    picture: Any = bpy.data.images.new("picture", 8, 8)
    picture.file_format = "PNG"
    for number in (7, 8, 9):
        picture.filepath_raw = str(tmp_path / f"shot_{number:04d}.png")
        picture.save()
    sequence = bpy.data.movieclips.load(str(tmp_path / "shot_0008.png"))
    found = module.clip_of_data_block(sequence, scene)
    assert found == module.Clip(
        "shot",
        tmp_path / "shot_%04d.png",
        tmp_path / "shot_0007.png",
        pytest.approx(24 / 1.001),
        7,
    )
    single = bpy.data.images.load(str(tmp_path / "shot_0007.png"))
    with pytest.raises(
        submodule("problems").Problem, match="neither a video nor an image sequence"
    ):
        module.clip_of_data_block(single, scene)
