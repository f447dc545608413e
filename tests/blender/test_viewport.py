"""The first heads of a scene: brought into view, with their textures, and said what hides them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops, submodule
from fake_backend import face
from mathutils import Euler, Vector
from modal import begun, to_end
from test_scene import put

# What View > Frame Selected of a Blender with windows chose in a viewport of 1057 by 759 pixels:
# focal length, size of a box, distance of the eye from its middle.
BLENDERS_OWN = (
    (50.0, (0.18, 0.15, 0.21), 0.2843270),
    (50.0, (2.0, 2.0, 2.0), 2.7078757),
    (35.0, (0.18, 0.15, 0.21), 0.1990289),
    (85.0, (2.0, 2.0, 2.0), 4.6033888),
)
NOW = ". The viewport shows textures now"


def viewport() -> Any:
    """The 3D viewport of the screen."""
    return submodule("scene.viewport").open_viewport(bpy.context)


def view() -> Any:
    """From where it looks."""
    return viewport().spaces.active.region_3d


@pytest.fixture
def at_work(
    fake_backend: Callable[[str], None], any_file: str, scene: bpy.types.Scene
) -> Callable[[], Any]:
    """Begins Face from Image, which makes a head of the dome."""
    fake_backend("none")
    cls = submodule("operators.photo").SYNERGYFACE_OT_face_from_image
    viewport().spaces.active.shading.color_type = "MATERIAL"
    # The dome alone, as its formula says.
    chosen: Any = scene
    chosen.synergyface.keys = "bfm"
    return lambda: begun(cls, filepath=any_file)


@pytest.mark.parametrize(("lens", "size", "distance"), BLENDERS_OWN)
def test_framed_as_blender_does(
    addon: Any, lens: float, size: tuple[float, float, float], distance: float
) -> None:
    region = SimpleNamespace(type="WINDOW", width=1057, height=759)
    eye = SimpleNamespace(view_perspective="PERSP", view_location=None, view_distance=None)
    space = SimpleNamespace(region_3d=eye, lens=lens)
    area = SimpleNamespace(spaces=SimpleNamespace(active=space), regions=[region])
    corners = (np.indices((2, 2, 2)).reshape(3, -1).T - 0.5) * size
    place = np.eye(4)
    place[:3, 3] = 1, 2, 3
    box = SimpleNamespace(bound_box=corners, matrix_world=place)
    submodule("scene.viewport").frame(area, [box])
    assert eye.view_distance == pytest.approx(distance, rel=1e-5)
    assert eye.view_location == pytest.approx((1, 2, 3))


def test_the_first_head_is_brought_into_view(at_work: Callable[[], Any]) -> None:
    turned = tuple(view().view_rotation)
    operator, context = at_work()
    assert to_end(operator, context) == {"FINISHED"}
    # The dome's middle; and it is 0.26 m deep, behind which it is 0.22 m high.
    assert tuple(view().view_location) == pytest.approx((0, -0.0653, 0), abs=2e-3)
    assert 0.1 < view().view_distance < 0.6
    assert tuple(view().view_rotation) == turned, "from where the user looks"
    assert viewport().spaces.active.shading.color_type == "TEXTURE"
    assert operator.reports == [({"INFO"}, f"1 head from somebody{NOW}")]
    # Further ones, and the same one again, leave the view alone.
    view().view_distance = 3.0
    viewport().spaces.active.shading.color_type = "MATERIAL"
    operator, context = at_work()
    assert to_end(operator, context) == {"FINISHED"}
    assert view().view_distance == 3.0
    assert viewport().spaces.active.shading.color_type == "MATERIAL"


@pytest.mark.parametrize("meanwhile", ["turned", "edited", "camera", "rendered"])
def test_who_is_busy_with_something_else_is_left_in_peace(
    at_work: Callable[[], Any], scene: bpy.types.Scene, meanwhile: str
) -> None:
    mesh = bpy.data.meshes.new("plane")
    thing = bpy.data.objects.new("plane", mesh)
    scene.collection.objects.link(thing)
    bpy.context.view_layer.objects.active = thing
    shading = viewport().spaces.active.shading
    if meanwhile == "camera":
        view().view_perspective = "CAMERA"
    elif meanwhile == "rendered":
        shading.type = "MATERIAL"
    operator, context = at_work()
    view().view_distance = 5.0 if meanwhile == "turned" else view().view_distance
    if meanwhile == "edited":
        bpy.ops.object.mode_set(mode="EDIT")
    before = view().view_distance, shading.color_type
    try:
        assert to_end(operator, context) == {"FINISHED"}
        framed, coloured = view().view_distance != before[0], shading.color_type != before[1]
        assert framed == (meanwhile == "rendered") and coloured == (meanwhile == "camera")
    finally:
        view().view_perspective = "PERSP"
        shading.type = "SOLID"
        if meanwhile == "edited":
            bpy.ops.object.mode_set(mode="OBJECT")


def test_scripts_leave_the_view_alone(at_work: Any, any_file: str) -> None:
    before = submodule("scene.viewport").outlook(viewport())
    ops.synergyface.face_from_image(filepath=any_file)
    assert submodule("scene.viewport").outlook(viewport()) == before
    assert viewport().spaces.active.shading.color_type == "MATERIAL"


def test_a_head_stands_where_the_user_has_put_the_cursor(
    at_work: Callable[[], Any], scene: bpy.types.Scene
) -> None:
    bpy.ops.mesh.primitive_cube_add(size=2)
    # Where the user has put the cursor, the head stands.
    scene.cursor.location = (0, 0, 0.1)
    operator, context = at_work()
    assert to_end(operator, context) == {"FINISHED"}
    # The eye is inside of the cube, too.
    assert operator.reports == [({"INFO"}, f"1 head from somebody{NOW}")]
    assert bpy.data.objects["somebody pose"].location.z == pytest.approx(0.1)


def test_what_hides_the_first_heads_from_the_eye_is_named(scene: bpy.types.Scene) -> None:
    bpy.ops.mesh.primitive_cube_add(size=2)
    heads = put(scene, face(0), face(200), face(400))
    bpy.context.view_layer.update()
    area, hidden = viewport(), submodule("operators.showing")._hidden
    submodule("scene.viewport").frame(area, heads)
    said = ", inside 'Cube'. Hide that to see it"
    assert hidden(bpy.context.view_layer, area, heads) == said
    area.spaces.active.region_3d.view_distance = 0.1
    assert hidden(bpy.context.view_layer, area, heads) == ""
    area.spaces.active.region_3d.view_distance = 3
    bpy.data.objects["Cube"].hide_set(True)
    assert hidden(bpy.context.view_layer, area, heads) == ""


def test_the_eye_is_where_blender_has_it(addon: Any) -> None:
    """By the matrix that it makes of place, direction and distance for a camera."""
    turn = Euler((1.1, 0.2, 0.7)).to_quaternion()
    eye = SimpleNamespace(view_location=(1, 2, 3), view_rotation=turn, view_distance=5.0)
    space = SimpleNamespace(region_3d=eye)
    area = SimpleNamespace(spaces=SimpleNamespace(active=space))
    towards = turn @ Vector((0, 0, -1))
    found = Vector(submodule("scene.viewport").eye(area)) + 5 * towards
    assert found[:] == pytest.approx((1, 2, 3), abs=1e-5)


def test_a_person_gets_the_first_head_beside_the_cube_of_a_new_file(
    at_work: Callable[[], Any], scene: bpy.types.Scene, any_file: str
) -> None:
    bpy.ops.mesh.primitive_cube_add(size=2)
    to_end(*at_work())
    # The cube reaches to 1 m, and half of a head is 0.15 m.
    empty = bpy.data.objects["somebody pose"]
    assert empty.location[:] == pytest.approx((1.15, 0, 0))
    assert view().view_location.x == pytest.approx(1.15, abs=0.01)
    for block in (*empty.children, empty):
        bpy.data.objects.remove(block)
    # A script, in whatever file, gets the cursor's place.
    ops.synergyface.face_from_image(filepath=any_file)
    assert bpy.data.objects["somebody pose"].location[:] == (0, 0, 0)


@pytest.mark.parametrize("kind", ["_photo", "_film"])
def test_a_batch_stands_beside_the_cube_too(
    fake_backend: Callable[[str], None], scene: bpy.types.Scene, tmp_path: Path, kind: str
) -> None:
    fake_backend("none")
    (tmp_path / ("ann.jpg" if kind == "_photo" else "ann.mp4")).write_bytes(b"not looked at")
    bpy.ops.mesh.primitive_cube_add(size=2)
    cls = submodule("operators.batch").SYNERGYFACE_OT_batch
    assert to_end(*begun(cls, directory=str(tmp_path))) == {"FINISHED"}
    assert bpy.data.objects["ann pose"].location.x == pytest.approx(1.15)


@pytest.mark.parametrize("fault", ["hidden", "apart", "smaller", "turned", "a room"])
def test_what_does_not_hide_a_head_moves_none(scene: bpy.types.Scene, fault: str) -> None:
    bpy.ops.mesh.primitive_cube_add(size=0.35 if fault in ("smaller", "turned") else 2)
    cube: Any = bpy.context.object
    if fault == "hidden":
        cube.hide_set(True)
    elif fault == "apart":
        cube.location.x = 2
    elif fault == "smaller":
        cube.scale.y = 0.2
    elif fault == "a room":
        cube.scale = (2, 2, 2)
    else:
        # Of its own box the head looks out, of that along the axes it does not.
        cube.rotation_euler.z = np.radians(45)
    bpy.context.view_layer.update()
    place = submodule("scene.places").free_place(scene, in_sight=True)
    assert tuple(place) == (0, 0, 0)
