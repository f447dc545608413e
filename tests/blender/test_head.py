"""Head: one handle on a head, for scripts; and the README's example of it."""

from __future__ import annotations

import re
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ROOT, ops, submodule
from fake_backend import dome, face, film, film_track, png
from test_animation import at_frame, perform
from test_scene import SOURCE, evaluated, put


@pytest.fixture
def made(scene: bpy.types.Scene) -> Any:
    """A head's mesh object, selected."""
    [head] = put(scene, face(100, expression=0.5))
    bpy.context.view_layer.update()
    head.select_set(True)
    bpy.context.view_layer.objects.active = head
    return head


def handle(object: Any) -> Any:
    """On the head to which an object belongs."""
    return submodule("head").Head.of(object)


def test_the_example_in_the_readme_runs(made: Any, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.split("## Without Blender's window")[1].split("\n## ")[0]
    [example] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(list(filter(str.strip, example.splitlines()))) == 3
    exec(example, {"bpy": bpy})
    printed = capsys.readouterr().out
    assert made.name in printed and SOURCE in printed and "Expression_00" in printed


def test_everything_of_a_head_is_at_hand(made: Any, scene: bpy.types.Scene) -> None:
    head = handle(made)
    assert (head.object, head.mesh, head.empty) == (made, made.data, made.parent)
    assert head.name == made.name and head.source == SOURCE and head.in_use
    assert head.photo.name == "somebody"
    assert head.fit.image_size == (640, 480) and head.fit.roi_box == (100, 100, 300, 300)
    np.testing.assert_array_equal(head.fit.parameters, np.arange(62))
    assert list(head.keys) == [f"Expression_{index:02d}" for index in range(10)]
    assert head.expression == pytest.approx(dict.fromkeys(head.keys, 0.5))
    assert head.material.name == "somebody skin" and tuple(head.texture.size) == (64, 64)
    assert head.action is None and not head.is_animated
    perform(scene, film(np.arange(50) / 25, 25.0), made)
    assert head.action == made.parent.animation_data.action and head.is_animated
    head.empty.location.x = 4
    bpy.context.view_layer.update()
    at_frame(scene, 1)
    assert head.pose.translation.x == pytest.approx(0, abs=1e-6), "its keys have the say"


def test_handles_are_told_by_the_head(made: Any, scene: bpy.types.Scene) -> None:
    cls = submodule("head").Head
    ops.synergyface.landmarks(action="ADD")
    mark = submodule("scene.landmarks").landmarks_of(made)[8]
    assert {handle(made), handle(made.parent), handle(mark)} == {cls(made.session_uid)}
    [other] = put(scene, face(100), face(400))[1:]
    assert cls.all(scene) == [handle(made), handle(other)]
    assert cls.chosen(bpy.context) == [handle(made)]
    camera = bpy.data.objects.new("camera", None)
    with pytest.raises(submodule("problems").Problem, match="'camera' is not a head"):
        cls.of(camera)


def test_a_handle_outlives_names_and_undo_but_not_the_head(made: Any) -> None:
    head = handle(made)
    made.name = "Ann"
    assert head.name == "Ann"
    bpy.data.objects.remove(made)
    assert not head.in_use
    with pytest.raises(submodule("problems").Problem, match="was removed"):
        head.expression  # noqa: B018


def test_expressions_are_set_in_standard_deviations(made: Any, scene: bpy.types.Scene) -> None:
    head = handle(made)
    own = made.shape_key_add(name="own", from_mix=False)
    own.slider_max = 2
    head.express({"Expression_03": 25.0, "own": 1.5})
    wanted = dict.fromkeys(head.keys, 0.5) | {"Expression_03": 25.0, "own": 1.5}
    assert head.expression == pytest.approx(wanted)
    sigmas = np.array([0.5] * 3 + [25] + [0.5] * 6)
    expected = dome().mean + np.tensordot(sigmas, dome().expression_basis, 1)
    np.testing.assert_allclose(evaluated(made), expected, atol=5e-6)
    with pytest.raises(submodule("problems").Problem, match="no shape key 'smile'"):
        head.express({"Expression_01": 2.0, "smile": 1.0})
    assert head.expression == pytest.approx(wanted)


def test_strong_expressions_leave_the_meaning_of_keys(made: Any, scene: bpy.types.Scene) -> None:
    times = np.arange(50) / 25
    scene.render.fps = 25
    perform(scene, film(times, 25.0, film_track(times, peak=8.0)), made)
    head = handle(made)
    head.express({"Expression_00": 20.0})
    at_frame(scene, 7)
    assert head.expression["Expression_00"] == pytest.approx(8 * np.sin(2 * np.pi * 6 / 25))


def test_another_texture(made: Any) -> None:
    head = handle(made)
    image = head.texture
    head.put_texture(png(32, (10, 20, 30)))
    assert head.texture == image and tuple(image.size) == (32, 32)
    head.mesh.materials.clear()
    assert head.material is None


def test_a_head_of_a_film_has_no_photo(scene: bpy.types.Scene) -> None:
    [animated] = perform(scene, film(np.arange(50) / 25, 25.0))
    head = handle(animated)
    assert head.photo is None and head.fit is None and head.source.endswith("somebody.mp4")
