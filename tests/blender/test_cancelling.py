"""Esc: what stops the work, and what does not because Esc was meant for something else.

The order in which Blender asks was seen in one with windows: a press of Esc goes to the modal
operators first, whether or not another one takes it (a grab), then to the keymaps of the region
under the mouse, last to this one. Its release comes to the modal operators even after menus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from conftest import ops, submodule
from modal import ESC, ESC_LET_GO, TICK, begun, press_esc


@pytest.fixture
def at_work(
    fake_backend: Callable[[str], None], any_file: str, scene: bpy.types.Scene
) -> Iterator[tuple[Any, Any]]:
    """Face from Image in the middle of a job that does not end."""
    fake_backend("hangs")
    cls = submodule("operators.photo").SYNERGYFACE_OT_face_from_image
    operator, context = begun(cls, filepath=any_file)
    while "Fitting" not in context.shown:
        operator.modal(context, TICK)
    yield operator, context
    if submodule("runtime").runtime().busy:
        ops.synergyface.cancel()
        operator.modal(context, TICK)


def keys_of(name: str) -> list[Any]:
    """Keys of the add-on's operators in one of Blender's keymaps."""
    keymap = bpy.context.window_manager.keyconfigs.addon.keymaps.get(name)
    items = keymap.keymap_items if keymap is not None else ()
    return [item for item in items if item.idname.startswith("synergyface.")]


def test_a_key_of_the_viewport_alone_cancels(at_work: tuple[Any, Any]) -> None:
    [key] = keys_of("3D View Generic")
    assert (key.idname, key.type, key.value) == ("synergyface.cancel_by_key", "ESC", "PRESS")
    assert not (key.any or key.shift or key.ctrl or key.alt or key.oskey)
    keymaps = bpy.context.window_manager.keyconfigs.addon.keymaps
    assert sum(len(keys_of(keymap.name)) for keymap in keymaps) == 1
    operator, context = at_work
    assert "(to cancel, press Esc over a 3D viewport)" in context.shown
    assert press_esc(operator, context) == {"CANCELLED"}
    assert operator.reports == [({"INFO"}, "Face from Image: cancelled")]


def test_keys_that_others_take_cancel_nothing(at_work: tuple[Any, Any]) -> None:
    operator, context = at_work
    # Of a grab and of a menu this is all that the operator hears.
    for event in (ESC, ESC_LET_GO, TICK, ESC_LET_GO, TICK):
        assert operator.modal(context, event) == {"PASS_THROUGH"}
    assert submodule("runtime").runtime().task.state == "running" and not operator.reports


def test_a_press_that_stops_the_playback_is_not_for_us(at_work: tuple[Any, Any]) -> None:
    operator, context = at_work
    screen = SimpleNamespace(is_animation_playing=True, areas=[])
    context.windows = [SimpleNamespace(screen=screen)]
    operator.modal(context, ESC)
    # Blender has stopped it by now, and passes the press on.
    screen.is_animation_playing = False
    assert not ops.synergyface.cancel_by_key.poll()
    assert ops.synergyface.cancel.poll(), "the button beside the progress"
    assert press_esc(operator, context) == {"CANCELLED"}, "the next press is for us"


def test_a_press_that_stops_a_render_is_not_for_us(
    at_work: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, context = at_work
    app = SimpleNamespace(background=True, is_job_running="RENDER".__eq__)
    monkeypatch.setattr(submodule("operators.base"), "bpy", SimpleNamespace(app=app))
    operator.modal(context, ESC)
    assert not ops.synergyface.cancel_by_key.poll()


def test_the_key_is_others_while_nothing_or_an_installation_is_at_work(
    scene: bpy.types.Scene,
) -> None:
    runtime = submodule("runtime").runtime()
    poll = ops.synergyface.cancel_by_key.poll
    assert not poll()
    runtime.task = SimpleNamespace(cancel=lambda: None)
    try:
        runtime.operator = submodule("operators.photo").SYNERGYFACE_OT_face_from_image
        runtime.key_is_free = True
        assert poll()
        runtime.operator = submodule("operators.install").SYNERGYFACE_OT_install_backend
        assert not poll()
    finally:
        runtime.task = runtime.operator = None


def test_the_key_goes_with_the_addon(addon: Any) -> None:
    bpy.ops.preferences.addon_disable(module=addon.__name__)
    assert keys_of("3D View Generic") == []
    bpy.ops.preferences.addon_enable(module=addon.__name__)
    assert len(keys_of("3D View Generic")) == 1
