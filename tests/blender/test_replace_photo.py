"""A head from another photo, or from its own that lies elsewhere; with the fake backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops, submodule
from fake_backend import IMAGE_SIZE, contract, dome, face
from layouts import drawn
from test_scene import put


def width(head: Any) -> float:
    """Of its neutral shape, in widths of the dome."""
    points = np.array([point.co for point in head.data.shape_keys.reference_key.data])
    return float(np.ptp(points[:, 0]) / np.ptp(dome().mean[:, 0]))


def replace(heads: list[Any], *faces: Any, size: tuple[int, int] = IMAGE_SIZE) -> None:
    """As the operator does with the backend's answer."""
    result = contract.FacesResult(faces, size)
    submodule("scene.build").replace_faces(heads, "/photos/moved.png", dome(), result)


def test_a_photo_that_is_gone_is_replaced(
    fake_backend: Callable[[str], None], any_file: str, scene: bpy.types.Scene
) -> None:
    fake_backend("none")
    [head] = put(scene, face(100, width=1.5, expression=1.0))
    bpy.context.view_layer.objects.active = head
    with pytest.raises(RuntimeError, match=r"no file .*somebody.png. If .*Replace Photo"):
        ops.synergyface.change_texture(mode="mean")
    assert "Replace Photo…" in drawn(submodule("panels.head").SYNERGYFACE_PT_head).shown
    head.parent.location = (1, 2, 3)
    head.modifiers.new("mine", "SMOOTH")
    counts = len(bpy.data.objects), len(bpy.data.meshes), len(bpy.data.images)
    assert ops.synergyface.replace_photo(filepath=any_file) == {"FINISHED"}
    assert (len(bpy.data.objects), len(bpy.data.meshes), len(bpy.data.images)) == counts
    assert head["synergyface_source"] == any_file and width(head) == pytest.approx(1)
    assert tuple(head.parent.location) == (1, 2, 3) and "mine" in head.modifiers
    # From now on it is the head of that photo.
    ops.synergyface.face_from_image(filepath=any_file)
    assert (len(bpy.data.objects), len(bpy.data.meshes)) == counts[:2]


def test_each_head_takes_the_face_at_its_place(scene: bpy.types.Scene) -> None:
    left, right = put(scene, face(0), face(400))
    # The same picture, half as large: what a chat made of it.
    small = [face(0, width=1.4), face(400, width=1.2)]
    for half in small:
        object.__setattr__(half, "roi_box", tuple(value / 2 for value in half.roi_box))
    replace([right], *small, size=(320, 240))
    assert (width(left), width(right)) == pytest.approx((1, 1.2))
    assert right["synergyface_face_index"] == 1 and right["synergyface_image_size"][0] == 320
    replace([right, left], *small, size=(320, 240))
    assert (width(left), width(right)) == pytest.approx((1.4, 1.2))


def test_another_photo_gives_its_largest_face(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(0))
    large = face(300, width=1.3)
    object.__setattr__(large, "roi_box", (300.0, 100.0, 630.0, 430.0))
    replace([head], face(220, width=1.1), large)
    assert width(head) == pytest.approx(1.3)


def test_what_cannot_be_replaced_is_left(
    fake_backend: Callable[[str], None], any_file: str, scene: bpy.types.Scene
) -> None:
    fake_backend("none")
    heads: list[Any] = put(scene, face(0, width=1.2), face(400, width=1.2))
    bpy.context.view_layer.update()
    for head in heads:
        head.select_set(True)
    with pytest.raises(RuntimeError, match="shows 1 face, but 2 heads are selected"):
        ops.synergyface.replace_photo(filepath=any_file)
    with pytest.raises(RuntimeError, match="No photo is given"):
        ops.synergyface.replace_photo()
    bpy.context.view_layer.objects.active = heads[0]
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(submodule("problems").NotNow, match="is being edited"):
        replace(heads[::-1], face(0), face(400))
    bpy.ops.object.mode_set(mode="OBJECT")
    assert [width(head) for head in heads] == pytest.approx([1.2, 1.2])
    for head in heads:
        del head["synergyface_parameters"]
    with pytest.raises(RuntimeError, match="was not made from a photo"):
        ops.synergyface.replace_photo(filepath=any_file)


def test_it_needs_a_head(scene: bpy.types.Scene) -> None:
    for name in ("replace_photo", "choose_replacement"):
        assert not getattr(ops.synergyface, name).poll()
    [head] = put(scene, face(0))
    bpy.context.view_layer.objects.active = head
    assert ops.synergyface.choose_replacement.poll()
    runtime = submodule("runtime").runtime()
    runtime.task = object()
    try:
        assert not ops.synergyface.choose_replacement.poll()
    finally:
        runtime.task = None
