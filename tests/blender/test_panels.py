"""The panels draw what Blender knows: operators, properties, icons and arguments."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from conftest import MODULE, ops, submodule
from fake_backend import face
from test_scene import put

ORDER = ("Face", "Animate", "Batch", "Head", "Backend")


class Layout:
    """A layout that checks what is drawn on it against Blender's own description of layouts."""

    functions: Any = getattr(bpy.types.UILayout.bl_rna, "functions")  # noqa: B009

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def __getattr__(self, name: str) -> Any:
        parameters = self.functions[name].parameters

        def call(*arguments: Any, **options: Any) -> Any:
            for option, value in options.items():
                items = getattr(parameters[option], "enum_items", None)
                assert not items or value in items, f"{name}({option}={value!r})"
            self.drawn.append(options.get("text") or str(arguments[-1] if arguments else name))
            return self._check(name, arguments)

        return call

    def _check(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if name == "prop":
            owner, attribute = arguments
            assert owner.bl_rna.properties[attribute].description, f"{attribute} has no tooltip"
        elif name == "operator":
            category, operator = arguments[0].split(".")
            rna = getattr(getattr(bpy.ops, category), operator).get_rna_type()
            assert rna.description, f"{operator} has no tooltip"
            return SimpleNamespace()
        return self


def draw(cls: Any, **instance: Any) -> list[str]:
    """What a panel shows."""
    layout = Layout()
    cls.draw(SimpleNamespace(layout=layout, **instance), bpy.context)
    return layout.drawn


def test_the_panel_begins_and_then_shows_progress(scene: bpy.types.Scene) -> None:
    runtime = submodule("runtime").runtime()
    face_panel = submodule("panels.face").SYNERGYFACE_PT_face
    for panel in (face_panel, submodule("panels.image").SYNERGYFACE_PT_image):
        assert "Face from Image…" in draw(panel)
    runtime.task = SimpleNamespace(progress=SimpleNamespace(fraction=0.4, stage="fitting"))
    try:
        shown = draw(face_panel)
        assert "fitting" in shown
        assert "Face from Image…" not in shown
        assert not ops.synergyface.choose_photo.poll()
    finally:
        runtime.task = None


def test_the_head_panel_needs_a_head(scene: bpy.types.Scene) -> None:
    panel = submodule("panels.head").SYNERGYFACE_PT_head
    expression = submodule("panels.head").SYNERGYFACE_PT_expression
    assert not panel.poll(bpy.context)
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head.parent
    assert panel.poll(bpy.context)
    shown = draw(panel)
    assert {"Apply Photo Pose", "scale", "Ears", "Add Landmarks"} <= set(shown)
    assert {"Expression_00 (σ)", "Expression_09 (σ)"} <= set(draw(expression))
    ops.synergyface.apply_photo_pose()
    ops.synergyface.landmarks()
    assert {"Reset Pose", "Remove Landmarks"} <= set(draw(panel))
    head.parent = None
    bpy.context.view_layer.objects.active = head
    assert "Parent the head to its pose Empty again" in draw(panel)
    head.shape_key_clear()
    assert draw(expression) == ["The head has no shape keys"]


@pytest.mark.parametrize(
    ("state", "code", "installed", "button"),
    [
        ("stopped", "", "complete", "Start Backend"),
        ("stopped", "", "none", "Install Backend…"),
        ("stopped", "", "incomplete", "Finish Installing…"),
        ("failed", "protocol-mismatch", "outdated", "Update Backend…"),
        ("failed", "protocol-mismatch", "complete", "Update Backend…"),
        ("failed", "missing-asset", "complete", "Repair Backend…"),
        ("failed", "start-timeout", "complete", "Start Backend"),
        ("ready", "", "complete", None),
    ],
)
def test_the_backend_panel_has_the_button_that_helps(
    addon: Any,
    monkeypatch: pytest.MonkeyPatch,
    state: Any,
    code: str,
    installed: Any,
    button: str | None,
) -> None:
    connection, view = submodule("connection.connection"), submodule("backend_view")
    monkeypatch.setattr(connection.Connection, "status", connection.Status(state, "why", code))
    monkeypatch.setattr(view, "installation", lambda mode: view.InstallState(installed, "0.0"))
    shown = draw(submodule("panels.backend").SYNERGYFACE_PT_backend)
    [line] = [text for text in shown if text.startswith("Backend: ")]
    assert ("why" in line) == (installed == "complete")
    buttons = {*view.INSTALL.values(), view.REPAIR, "Start Backend"}
    assert [text for text in shown if text in buttons] == [button] * bool(button)


def test_the_panels_read_from_top_to_bottom(addon: Any) -> None:
    order = [
        panel.bl_label
        for panel in submodule("panels").CLASSES
        if panel.bl_space_type == "VIEW_3D" and not hasattr(panel, "bl_parent_id")
    ]
    assert order == [label for label in ORDER if label in order]
    assert {"Face", "Head", "Backend"} <= set(order)


@pytest.mark.parametrize("mode", ["automatic", "python", "address"])
def test_the_preferences_show_the_backend(preferences: Any, mode: str) -> None:
    preferences.mode, preferences.address = mode, "127.0.0.1:1"
    shown = draw(
        type(preferences),
        **{name: getattr(preferences, name) for name in ("mode", "address", "bl_rna")},
        show_installation=True,
    )
    assert {"device", "wheels", "torch_index", "installer_python"} <= set(shown)
    assert any(text.startswith("Backend: ") for text in shown)
    assert "synergyface.copy_diagnostics" in shown
    assert ("Enter Token…" in shown) == (mode == "address")
    assert MODULE in bpy.context.preferences.addons


def test_every_state_has_an_icon_that_blender_has(addon: Any) -> None:
    for icon in submodule("backend_view").ICONS.values():
        Layout().label(text="", icon=icon)
    with pytest.raises(AssertionError, match="NO_SUCH_ICON"):
        Layout().label(text="", icon="NO_SUCH_ICON")
