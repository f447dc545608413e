"""Several heads chosen together, and heads that are linked from another file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops, submodule
from fake_backend import face, film
from modal import TICK, begun, made, to_end
from test_animation import SOURCE as CLIP
from test_animation import perform
from test_scene import SOURCE, put

# Of the mask that hides the neck.
MASK = "SynergyFace without neck"


def choose(*heads: Any) -> None:
    """Select them; the last becomes the active one."""
    bpy.context.view_layer.update()
    for head in heads:
        head.select_set(True)
        bpy.context.view_layer.objects.active = head


def positions(head: Any) -> np.ndarray:
    """(3 V,) of its mesh."""
    found = np.empty(3 * len(head.data.vertices), np.float32)
    head.data.vertices.foreach_get("co", found)
    return found


@pytest.fixture
def linked(scene: bpy.types.Scene, tmp_path: Path) -> Any:
    """A head of a photo, animated by a clip too, that is linked from another file."""
    [head] = put(scene, face(100))
    perform(scene, film(np.arange(50) / 25, 25.0), head)
    path = str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {head, head.parent})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    libraries: Any = bpy.data.libraries
    with libraries.load(path, link=True) as (there, here):
        here.objects = list(there.objects)
    for part in here.objects:
        bpy.context.scene.collection.objects.link(part)
    return bpy.data.objects["somebody head"]


def test_a_head_that_cannot_be_changed_does_not_keep_the_others_from_it(
    scene: bpy.types.Scene,
) -> None:
    left, right = put(scene, face(100), face(400))
    right.vertex_groups.remove(right.vertex_groups["neck"])
    choose(left, right)
    with pytest.raises(RuntimeError, match=f"'{right.name}' has lost the vertex group 'neck'"):
        ops.synergyface.show_region(region="neck", action="HIDE")
    assert MASK in left.modifiers and MASK not in right.modifiers


def test_an_undo_step_is_due_if_any_head_was_changed(scene: bpy.types.Scene) -> None:
    left, right = put(scene, face(100), face(400))
    choose(left, right)
    cls = submodule("operators.head").SYNERGYFACE_OT_apply_photo_pose
    operator = made(cls, action="APPLY")
    del right["synergyface_pose_scale"]
    assert operator.execute(bpy.context) == {"FINISHED"}
    assert [kind for kind, _ in operator.reports] == [{"ERROR"}]
    left.select_set(False)
    assert operator.execute(bpy.context) == {"CANCELLED"}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("apply_photo_pose", {}),
        ("landmarks", {}),
        ("show_region", {"region": "neck"}),
        ("subdivide", {"levels": 2}),
        ("smooth_again", {"gain": 2.0}),
        ("change_texture", {"mode": "mean"}),
    ],
)
def test_a_linked_head_is_not_changed(linked: Any, name: str, options: dict[str, Any]) -> None:
    choose(linked)
    before = tuple(linked.parent.matrix_basis.to_translation()), len(bpy.data.objects)
    with pytest.raises(RuntimeError, match=r"is linked from another file\. Make it local"):
        getattr(ops.synergyface, name)(**options)
    assert not linked.modifiers
    assert (tuple(linked.parent.matrix_basis.to_translation()), len(bpy.data.objects)) == before


def test_a_linked_head_and_an_own_one_of_its_name_are_two(linked: Any) -> None:
    scene: Any = bpy.context.scene
    [own] = put(scene, face(100))
    own.name = linked.name
    assert own != linked and own.name == linked.name
    choose(own, linked)
    assert submodule("operators.selection").chosen_heads(bpy.context) == [own, linked]


@pytest.mark.parametrize("overridden", [False, True], ids=["linked", "overridden"])
def test_what_a_linked_head_shows_becomes_another_head(linked: Any, overridden: bool) -> None:
    scene: Any = bpy.context.scene
    before = positions(linked)
    if overridden:
        # The object may be changed then, its mesh may not.
        linked = linked.override_create(remap_local_usages=True)
        assert linked.library is None and linked.data.library is not None
    known = linked["synergyface_source"]
    assert known == SOURCE
    count, texture = len(linked.data.materials), len(bpy.data.images)
    [own] = put(scene, face(100, width=2.0))
    assert own != linked and own.library is None
    np.testing.assert_array_equal(positions(linked), before)
    [animated] = perform(scene, film(np.arange(50) / 25, 25.0))
    assert animated.library is None and animated["synergyface_source"] in (SOURCE, CLIP)
    assert len(linked.data.materials) == count and len(bpy.data.images) > texture


def test_opening_another_file_ends_the_work(
    fake_backend: Callable[[str], None], any_file: str, scene: bpy.types.Scene
) -> None:
    cls = submodule("operators.photo").SYNERGYFACE_OT_face_from_image
    fake_backend("hangs")
    operator, context = begun(cls, filepath=any_file)
    while "Fitting" not in context.shown:
        operator.modal(context, TICK)
    task = submodule("runtime").runtime().task
    # Blender does this first.
    operator.cancel(context)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    assert task.join(5) and context.shown == ""
    assert not submodule("runtime").runtime().busy
    fake_backend("none")
    assert to_end(*begun(cls, filepath=any_file)) == {"FINISHED"}
    assert "somebody head" in bpy.data.objects
