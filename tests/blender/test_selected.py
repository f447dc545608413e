"""Which heads are meant: the selected ones; if none is, the active one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ops, submodule
from fake_backend import face, film
from layouts import drawn
from test_animation import perform
from test_scene import put

NECK = "SynergyFace without neck"
PHOTO_POSE = "synergyface_transform_before_photo_pose"


def select(*objects: Any, active: Any) -> None:
    """Select these and nothing else; the active one need not be among them."""
    layer = bpy.context.view_layer
    layer.update()
    for other in layer.objects:
        other.select_set(other in objects)
    layer.objects.active = active


@pytest.fixture
def heads(scene: bpy.types.Scene) -> list[Any]:
    """Three heads, left to right; the left one hangs a hat and the right one from the middle."""
    found = put(scene, face(0), face(220), face(440))
    hat = bpy.data.objects.new("hat", None)
    scene.collection.objects.link(hat)
    hat.parent = found[0]
    return found


def chosen() -> list[str]:
    """Their places in the photo."""
    found = submodule("scene.selected").chosen_heads(bpy.context)
    return [head["synergyface_face_index"] for head in found]


def test_the_selected_heads_and_no_other(heads: list[Any]) -> None:
    left, middle, right = heads
    select(right, active=left)
    assert chosen() == [2], "the active one is not selected"
    select(left, right, active=left)
    assert chosen() == [2, 0], "the active one last"
    select(middle.parent, left.parent, active=left.parent)
    assert chosen() == [1, 0], "by their Empties"
    select(active=middle)
    assert chosen() == [1], "none is selected"
    select(active=None)
    assert chosen() == []


def test_what_hangs_from_a_head_is_not_the_head(heads: list[Any]) -> None:
    left, middle, _ = heads
    middle.parent.parent = left
    select(left, active=left)
    assert chosen() == [0]
    select(bpy.data.objects["hat"], active=bpy.data.objects["hat"])
    assert chosen() == []
    select(left, active=left)
    ops.synergyface.landmarks(action="ADD")
    mark = submodule("scene.landmarks").landmarks_of(left)[30]
    select(mark, active=mark)
    assert chosen() == [0]


@pytest.mark.parametrize(
    ("name", "options", "changed"),
    [
        ("show_region", {"region": "neck"}, lambda head: NECK in head.modifiers),
        ("subdivide", {"levels": 2}, lambda head: len(head.modifiers) == 1),
        ("landmarks", {}, lambda head: len(head.children) >= 68),
        (
            "apply_photo_pose",
            {},
            lambda head: PHOTO_POSE in head.parent,
        ),
    ],
)
def test_operators_leave_an_active_head_alone_that_is_not_selected(
    heads: list[Any], name: str, options: dict[str, Any], changed: Any
) -> None:
    select(heads[1], heads[2], active=heads[0])
    assert getattr(ops.synergyface, name)(**options) == {"FINISHED"}
    assert [changed(head) for head in heads] == [False, True, True]


def test_files_are_those_of_the_selected_head(heads: list[Any], tmp_path: Path) -> None:
    times = np.arange(10) / 25
    for head in heads[1:]:
        perform(bpy.context.scene, film(times, 25.0), head, clip_name=head.name)
    heads[0].scale = (3, 3, 3)
    select(heads[2], active=heads[0])
    ops.synergyface.export_motion(filepath=str(tmp_path / "motion.csv"))
    first = (tmp_path / "motion.csv").read_text().splitlines()[1].split(",")
    assert float(first[2]) == pytest.approx(0.6), "the right one stands there"
    ops.synergyface.export_head(
        filepath=str(tmp_path / "head.obj"), file_format="obj", shape_keys=False
    )
    lines = (tmp_path / "head.obj").read_text().splitlines()
    [written] = [line for line in lines if line.startswith("o ")]
    assert written == "o " + heads[2].name.replace(" ", "_")


def test_the_motion_goes_to_the_selected_head(heads: list[Any]) -> None:
    module = submodule("operators.animation")
    options = bpy.context.scene.synergyface.animation
    select(heads[1], active=heads[0])
    assert module.target_of(bpy.context, options) == heads[1].session_uid


def test_the_panel_says_whose_head_it_shows(heads: list[Any]) -> None:
    words = submodule("scene.selected").chosen_words
    assert words(heads[:1]) == heads[0].name
    assert words(heads) == f"{heads[2].name} and 2 more"
    select(heads[1], active=heads[0])
    assert heads[1].name in drawn(submodule("panels.head").SYNERGYFACE_PT_head).shown
