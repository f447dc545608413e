"""What the user does while a job is at work: the result goes where the job was started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import heads_in, submodule
from fake_backend import face, film_track
from modal import TICK, begun, press_esc, to_end
from test_batch import folder as folder
from test_batch import table
from test_scene import put


def open_another_scene(name: str = "Other") -> bpy.types.Scene:
    """As the user does in the window's header."""
    other = bpy.data.scenes.new(name)
    assert bpy.context.window
    bpy.context.window.scene = other
    return other


def meshes(scene: bpy.types.Scene) -> list[str]:
    """Names of the heads of a scene."""
    return sorted(head.name for head in heads_in(scene))


@pytest.fixture
def photo_begun(
    fake_backend: Callable[[str], None], any_file: str, scene: bpy.types.Scene
) -> tuple[Any, Any]:
    """Face from Image at work in a scene "Set", with the collection "Cast" active."""
    fake_backend("none")
    scene.name = "Set"
    cast = bpy.data.collections.new("Cast")
    scene.collection.children.link(cast)
    layer = scene.view_layers[0]
    layer.active_layer_collection = layer.layer_collection.children["Cast"]
    cls = submodule("operators.photo").SYNERGYFACE_OT_face_from_image
    return begun(cls, filepath=any_file)


def test_a_head_goes_to_the_scene_and_collection_where_its_photo_was_chosen(
    photo_begun: tuple[Any, Any], scene: bpy.types.Scene
) -> None:
    other = open_another_scene()
    prop = bpy.data.objects.new("prop", None)
    other.collection.objects.link(prop)
    prop.select_set(True)
    bpy.context.view_layer.objects.active = prop
    scene.name, bpy.data.collections["Cast"].name = "Stage", "Actors"
    operator, context = photo_begun
    assert to_end(operator, context) == {"FINISHED"}
    assert meshes(scene) == ["somebody head"] and meshes(other) == []
    assert bpy.data.objects["somebody head"].users_collection[0].name == "Actors"
    assert bpy.context.view_layer.objects.active == prop and prop.select_get()
    assert operator.reports == [({"INFO"}, "1 head from somebody, in the scene 'Stage'")]


def test_a_head_whose_scene_was_removed_is_not_lost(
    photo_begun: tuple[Any, Any], scene: bpy.types.Scene
) -> None:
    other = open_another_scene()
    bpy.data.scenes.remove(scene)
    operator, context = photo_begun
    assert to_end(operator, context) == {"FINISHED"}
    assert meshes(other) == ["somebody head"]
    assert bpy.context.view_layer.objects.active == bpy.data.objects["somebody head"]
    [(_, text)] = operator.reports
    assert text == "1 head from somebody, in the scene 'Other' because 'Set' was removed"


def test_a_head_whose_collection_was_removed_is_in_its_scene(
    photo_begun: tuple[Any, Any], scene: bpy.types.Scene
) -> None:
    bpy.data.collections.remove(bpy.data.collections["Cast"])
    to_end(*photo_begun)
    assert bpy.data.objects["somebody head"].users_collection[0] == scene.collection


@pytest.fixture
def film_begun(
    fake_backend: Callable[[str], None], any_file: str, scene: bpy.types.Scene
) -> tuple[Any, Any]:
    """Animate from Video at work for a head that is the second of two with one identity."""
    fake_backend("none")
    [head] = put(scene, face(100))
    copies = {part: part.copy() for part in (head, head.parent)}
    copies[head].data = head.data.copy()
    copies[head].parent = copies[head.parent]
    for copy in copies.values():
        scene.collection.objects.link(copy)
    bpy.context.view_layer.objects.active = copies[head]
    cls = submodule("operators.animation").SYNERGYFACE_OT_animate_from_video
    return begun(cls, filepath=any_file, clip="", image="")


def test_the_motion_goes_to_the_head_that_was_selected(
    film_begun: tuple[Any, Any], scene: bpy.types.Scene
) -> None:
    chosen: Any = bpy.context.view_layer.objects.active
    other = open_another_scene()
    chosen.name = "the chosen one"
    scene.render.fps, other.render.fps = 50, 10
    operator, context = film_begun
    assert to_end(operator, context) == {"FINISHED"}
    action = chosen.parent.animation_data.action
    # 50 pictures at 25 a second, in a scene of 50 frames a second.
    assert tuple(action.frame_range) == pytest.approx((1, 99))
    assert len(meshes(scene)) == 2 and meshes(other) == []
    assert not bpy.data.objects["somebody pose"].animation_data
    [(_, text)] = operator.reports
    assert text == f"somebody: 1 head animated, 50 frames, in the scene {scene.name!r}"


def test_the_motion_of_a_head_that_was_removed_is_not_lost(
    film_begun: tuple[Any, Any], scene: bpy.types.Scene
) -> None:
    chosen: Any = bpy.context.view_layer.objects.active
    scene.collection.objects.unlink(chosen)
    operator, context = film_begun
    assert to_end(operator, context) == {"FINISHED"}
    head: Any = bpy.context.view_layer.objects.active
    assert head.name in meshes(scene) and head.parent.animation_data.action
    kind, text = operator.reports[-1]
    assert kind == {"WARNING"} and "was removed. Its motion" in text


def test_a_result_waits_while_its_head_is_edited(
    film_begun: tuple[Any, Any], scene: bpy.types.Scene
) -> None:
    chosen: Any = bpy.context.view_layer.objects.active
    operator, context = film_begun
    bpy.ops.object.mode_set(mode="SCULPT")
    while "The result waits" not in context.shown:
        assert operator.modal(context, TICK) == {"PASS_THROUGH"}
    assert "is being edited" in context.shown and not operator.reports
    assert operator.modal(context, TICK) == {"PASS_THROUGH"}, "it asks again"
    assert not chosen.parent.animation_data
    bpy.ops.object.mode_set(mode="OBJECT")
    assert to_end(operator, context) == {"FINISHED"}
    assert chosen.parent.animation_data.action and context.shown == ""


def test_a_result_that_waits_can_be_dropped(
    film_begun: tuple[Any, Any], scene: bpy.types.Scene
) -> None:
    chosen: Any = bpy.context.view_layer.objects.active
    operator, context = film_begun
    bpy.ops.object.mode_set(mode="EDIT")
    while "The result waits" not in context.shown:
        operator.modal(context, TICK)
    assert press_esc(operator, context) == {"CANCELLED"}
    assert operator.reports == [({"INFO"}, "Animate from Video: cancelled")]
    bpy.ops.object.mode_set(mode="OBJECT")
    assert not chosen.parent.animation_data and context.shown == ""
    assert not submodule("runtime").runtime().busy


def test_textures_of_heads_that_were_removed_are_left_out(
    fake_backend: Callable[[str], None], scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_backend("none")
    left, right = put(scene, face(100), face(400))
    # Renamed, so that the Empty comes first among all objects.
    left.name, left.parent.name = "z", "a"
    for head in (left, right):
        head.select_set(True)
    module = submodule("operators.texture")
    blue = film_track(np.arange(2)).texture_png
    monkeypatch.setattr(module, "photo_of_source", lambda *_: submodule("scene.photo").Photo)
    monkeypatch.setattr(module, "retexture", lambda *_: [blue, blue])
    operator, context = begun(
        module.SYNERGYFACE_OT_change_texture, mode="photo", texture_size="KEEP"
    )
    bpy.data.objects.remove(right)
    assert to_end(operator, context) == {"FINISHED"}
    assert operator.reports == [({"INFO"}, "1 texture made, 1 removed before")]
    image = left.data.materials[0].node_tree.nodes["SynergyFace Texture"].image
    assert image.pixels[:3] == pytest.approx([120 / 255, 150 / 255, 200 / 255], abs=0.002)


def test_a_batch_goes_on_in_its_scene(
    fake_backend: Callable[[str], None], folder: Path, scene: bpy.types.Scene
) -> None:
    fake_backend("none")
    operator, context = begun(
        submodule("operators.batch").SYNERGYFACE_OT_batch, directory=str(folder)
    )
    while len(meshes(scene)) < 2:
        operator.modal(context, TICK)
    bpy.data.objects["anna head"].name = "Anna"
    bpy.data.objects.remove(bpy.data.objects["ben head"])
    other = open_another_scene()
    assert to_end(operator, context) == {"FINISHED"}
    assert meshes(scene) == ["Anna", "cleo head", "talk head"] and meshes(other) == []
    text = f"4 of 4 files done, in the scene {scene.name!r}. See the text 'SynergyFace Batch'"
    assert operator.reports == [({"INFO"}, text)]
    assert [row[1] for row in table()[1:]] == ["done"] * 4


def test_films_of_a_batch_whose_head_was_removed_make_heads_of_their_own(
    fake_backend: Callable[[str], None], folder: Path, scene: bpy.types.Scene
) -> None:
    fake_backend("none")
    for path in (folder / "anna.jpg", folder / "ben.PNG", folder / "cleo.jpeg"):
        path.unlink()
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head
    operator, context = begun(
        submodule("operators.batch").SYNERGYFACE_OT_batch, directory=str(folder)
    )
    bpy.data.objects.remove(head)
    assert to_end(operator, context) == {"FINISHED"}
    assert meshes(scene) == ["talk head"]
    [[_, state, count, detail]] = table()[1:]
    assert (state, count) == ("done", "1") and "was removed. Its motion" in detail
