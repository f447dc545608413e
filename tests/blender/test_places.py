"""Where new heads stand: never inside of another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops
from fake_backend import face, film, film_track
from test_animation import perform
from test_scene import contract, dome, put, submodule


def places(*heads: Any) -> np.ndarray:
    """(N, 3) of their Empties."""
    bpy.context.view_layer.update()
    return np.array([head.parent.matrix_world.translation for head in heads])


def put_photo(scene: Any, name: str, *faces: Any) -> list[Any]:
    """Faces of a photo of that name."""
    result = contract.FacesResult(faces, (640, 480))
    build = submodule("scene.build")
    return build.put_faces(scene, scene.collection, f"/{name}.png", name, dome(), result)


def test_all_faces_and_further_photos_stand_in_a_row(scene: bpy.types.Scene) -> None:
    group = put_photo(scene, "group", face(0), face(220), face(440))
    single = put_photo(scene, "ann", face(100))
    wanted = [[0, 0, 0], [0.3, 0, 0], [0.6, 0, 0], [0.9, 0, 0]]
    np.testing.assert_allclose(places(*group, *single), wanted, atol=1e-6)
    group[1].parent.location = (5, 6, 7)
    again = put_photo(scene, "group", face(0), face(220), face(440))
    assert again == group
    np.testing.assert_allclose(places(*again)[1], (5, 6, 7), err_msg="an old head stays")
    filled = put_photo(scene, "ben", face(100))
    np.testing.assert_allclose(places(*filled), [[0.3, 0, 0]], atol=1e-6)


def test_the_row_begins_at_the_cursor_and_keeps_clear_of_large_heads(
    scene: bpy.types.Scene,
) -> None:
    [large] = put(scene, face(100))
    large.parent.scale = (10, 10, 10)
    scene.cursor.location = (0.5, 0, 2)
    above = put_photo(scene, "ann", face(100))
    np.testing.assert_allclose(places(*above), [[0.5, 0, 2]], atol=1e-6)
    scene.cursor.location = (0.5, 0, 1)
    beside = put_photo(scene, "ben", face(100))
    # Half of 3 m and half of 0.3 m.
    np.testing.assert_allclose(places(*beside), [[1.65, 0, 1]], atol=1e-6)


def test_a_head_that_hangs_from_something_keeps_its_room(scene: bpy.types.Scene) -> None:
    carrier = bpy.data.objects.new("carrier", None)
    scene.collection.objects.link(carrier)
    [head] = put(scene, face(100))
    carrier.location = (1, 0, 0)
    head.parent.parent = carrier
    bpy.context.view_layer.update()
    scene.cursor.location = (1, 0, 0)
    [other] = put_photo(scene, "ann", face(100))
    np.testing.assert_allclose(places(other), [[1.3, 0, 0]], atol=1e-6)


def test_heads_of_films_stand_in_the_row_together(scene: bpy.types.Scene) -> None:
    put(scene, face(100))
    times = np.arange(50) / 25
    pair = film(times, 25.0, film_track(times), film_track(times, 1))
    left, right = perform(scene, pair)
    bpy.context.scene.frame_set(1)
    # As far from each other as in the film, and neither inside of the head that was there.
    np.testing.assert_allclose(places(left, right), [[0.3, 0, 0], [0.3625, 0, 0]], atol=1e-6)
    # Where a head's motion begins is its place, whatever the frame.
    bpy.context.scene.frame_set(20)
    [alone] = perform(scene, film(times, 25.0), clip_name="other")
    bpy.context.scene.frame_set(1)
    np.testing.assert_allclose(places(alone), [[0.6625, 0, 0]], atol=1e-6)


def test_a_batch_stands_beside_what_is_there(
    fake_backend: Callable[[str], None], scene: bpy.types.Scene, tmp_path: Path
) -> None:
    fake_backend("none")
    for name in ("ann.jpg", "ben.jpg"):
        (tmp_path / name).write_bytes(b"not looked at")
    put(scene, face(100))
    ops.synergyface.batch(directory=str(tmp_path))
    names = ("somebody pose", "ann pose", "ben pose")
    assert [bpy.data.objects[name].location.x for name in names] == pytest.approx([0, 0.3, 0.6])


def test_the_empty_is_no_larger_than_the_head(scene: bpy.types.Scene) -> None:
    [head] = put(scene, face(100))
    reach = np.abs(np.array(head.bound_box)).max(axis=0)
    # Long enough to be seen beside the ears.
    assert reach[0] < head.parent.empty_display_size < reach.max()
