"""The panels draw what Blender knows, and nothing that it would cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from conftest import MODULE, ops, submodule
from fake_backend import face
from layouts import PREFERENCES_PIXELS, Layout, SidebarContext, cut_off, drawn, text_pixels
from test_scene import put

ORDER = ("Face", "Animate", "Batch", "Head", "Backend")
# As the backend reports them, and the add-on before it.
STAGES = (
    "looking for faces",
    "making the texture",
    "telling people apart",
    "solving for every frame",
    "Starting the backend",
    "Loading the models",
)
START = {
    "photo": "Face from Image…",
    "video": "Animate from Video…",
    "folder": "Process Folder…",
    "texture": "Texture: Photo + Network",
    "replacement": "Replace Photo…",
    "backend": "Start Backend",
    "installation": "Start Backend",
}


class Task:
    """As much of a task as panels see."""

    def __init__(self, progress: Any) -> None:
        self.progress = progress


@pytest.fixture
def running(addon: Any) -> Iterator[Callable[..., None]]:
    """Have a job run, as far as panels see."""
    runtime = submodule("runtime").runtime()
    progress = submodule("tasks").TaskProgress

    def run(job: str, **of: Any) -> None:
        runtime.operator, runtime.task = SimpleNamespace(job=job), Task(progress(**of))

    yield run
    runtime.operator = runtime.task = None


@pytest.fixture
def found_backend(addon: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Choose how the backend is doing, as far as panels see."""
    connection, view = submodule("connection.connection"), submodule("backend_view")

    def choose(state: str, detail: str = "", code: str = "", installed: str = "complete") -> None:
        status = connection.Status(state, detail, code)
        monkeypatch.setattr(connection.Connection, "status", status)
        monkeypatch.setattr(view, "installation", lambda _: view.InstallState(installed, "0.0.9"))

    return choose


def sidebar_panels() -> list[Any]:
    """Panels of the 3D viewport that show something."""
    panels = [
        panel
        for panel in submodule("panels").CLASSES
        if getattr(panel, "bl_space_type", "") == "VIEW_3D"
    ]
    return [panel for panel in panels if not hasattr(panel, "poll") or panel.poll(bpy.context)]


def all_cut_off() -> list[str]:
    """What the sidebar's panels cut off."""
    return [f"{panel.bl_label}: {fault}" for panel in sidebar_panels() for fault in cut_off(panel)]


def drawn_preferences(preferences: Any) -> Layout:
    """The add-on's preferences with everything unfolded."""
    names = ("mode", "address", "bl_rna", "device", "wheels", "torch_index", "installer_python")
    context = SidebarContext(500)
    values = {name: getattr(preferences, name) for name in names}
    return drawn(type(preferences), context, **values, show_installation=True)


def select_head(scene: bpy.types.Scene) -> Any:
    """A head of a photo, with a name of usual length."""
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head.parent
    head[submodule("scene.identity").TEXTURE_MODE] = "photo+gan"
    head.name = "Photo of 2024-05-17 14.33.02 (edited) head"
    return head


def test_nothing_is_cut_off(scene: bpy.types.Scene) -> None:
    settings: Any = scene.synergyface  # type: ignore[attr-defined]
    for table in ("SynergyFace Batch", "SynergyFace Batch Files"):
        bpy.data.texts.new(table)
    assert len(sidebar_panels()) >= 5
    assert all_cut_off() == []
    settings.batch.result, settings.animation.faces = "files", "number"
    head = select_head(scene)
    assert all_cut_off() == []
    ops.synergyface.apply_photo_pose()
    ops.synergyface.landmarks()
    ops.synergyface.subdivide(levels=2)
    assert all_cut_off() == []
    head.parent = None
    bpy.context.view_layer.objects.active = head
    head.shape_key_clear()
    assert all_cut_off() == []


@pytest.mark.parametrize("job", START)
def test_no_progress_is_cut_off(
    scene: bpy.types.Scene, running: Callable[..., None], job: str
) -> None:
    select_head(scene)
    for stage in STAGES:
        running(job, fraction=1.0, stage=stage)
        assert all_cut_off() == []
        shown = [text for panel in sidebar_panels() for text in drawn(panel).shown]
        assert any(stage[1:] in text and text.endswith("100%") for text in shown)
    running(job, fraction=0.4, stage="an endless stage " * 20, part="12 of 40")
    assert all_cut_off() == []


@pytest.mark.parametrize("installed", ["none", "incomplete", "outdated", "complete"])
def test_no_state_of_the_backend_is_cut_off(
    preferences: Any, found_backend: Callable[..., None], installed: str
) -> None:
    known = [failure.message for failure in submodule("connection.advice").KNOWN_FAILURES]
    for detail in (*known, "Version 0.1.0 on mps", "/a/path/without/any/spaces" * 20):
        for state in ("failed", "ready"):
            found_backend(state, detail, "x", installed)
            assert all_cut_off() == []
            assert drawn_preferences(preferences).cut(PREFERENCES_PIXELS) == []


# Pixels of the widest text that a window of Blender 4.3 showed whole, and of the next one, three
# wider, that it cut off; in a panel with 226 for its contents.
MEASURED = {
    "label": (226, 229),
    "label with icon": (202, 205),
    "label in box": (217, 220),
    "button": (223, 226),
    "button with icon": (205, 208),
    "one of two buttons": (91, 94),
    "menu": (208, 211),
    "bar beside an icon": (202, 205),
    "check box": (205, 208),
    "check box in a column": (109, 112),
    "name in a column": (81, 84),
}


def draw_measured(layout: Layout, kind: str, text: str, settings: Any) -> None:
    """One of the things that were measured."""
    landmarks = "synergyface.landmarks"
    if kind.startswith("label"):
        inner = layout.box() if "box" in kind else layout
        inner.label(text=text, icon="ERROR" if "icon" in kind else "NONE")
    elif kind == "one of two buttons":
        row = layout.row(align=True)
        row.operator(landmarks, text=text, icon="HIDE_OFF")
        row.operator(landmarks, text="0", icon="HIDE_OFF")
    elif kind.startswith("button"):
        layout.operator(landmarks, text=text, icon="ERROR" if "icon" in kind else "NONE")
    elif kind == "menu":
        layout.menu("SYNERGYFACE_MT_texture", text=text)
    elif kind.startswith("bar"):
        row = layout.row(align=True)
        row.progress(text=text, factor=0.5)
        row.operator(landmarks, text="", icon="CANCEL")
    else:
        layout.use_property_split = "column" in kind
        name = "use_camera" if kind.startswith("check") else "start_frame"
        layout.prop(settings, name, text=text)


@pytest.mark.parametrize("kind", MEASURED)
def test_what_does_not_fit_is_found(
    scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("layouts.text_pixels", float)
    settings: Any = scene.synergyface.animation  # type: ignore[attr-defined]
    for pixels, fits in zip(MEASURED[kind], (True, False), strict=True):
        layout = Layout()
        draw_measured(layout, kind, str(pixels), settings)
        assert (layout.cut(226) == []) == fits


def test_text_is_measured_in_blenders_font(addon: Any) -> None:
    # As wide as the same text was in the window.
    assert text_pixels("223 " + "i" * 64 + "E") == 223


def test_no_icon_is_taken_that_blender_lacks(addon: Any) -> None:
    for icon in submodule("backend_view").ICONS.values():
        Layout().label(text="", icon=icon)
    with pytest.raises(AssertionError, match="NO_SUCH_ICON"):
        Layout().label(text="", icon="NO_SUCH_ICON")


def test_fields_without_boxes_are_found(preferences: Any) -> None:
    assert all(piece.embossed for piece in drawn_preferences(preferences).pieces if piece.field)
    layout = Layout()
    layout.use_property_split = True
    layout.prop(preferences, "show_installation", emboss=False)
    layout.box().prop(preferences, "wheels")
    assert not any(piece.embossed for piece in layout.pieces)


@pytest.mark.parametrize("job", START)
def test_a_job_is_shown_where_it_was_begun_and_nothing_moves(
    scene: bpy.types.Scene,
    running: Callable[..., None],
    found_backend: Callable[..., None],
    job: str,
) -> None:
    select_head(scene)
    found_backend("stopped")
    before = {panel: drawn(panel).shown for panel in sidebar_panels()}
    running(job, fraction=0.4, stage="fitting")
    bar = "Fitting  40%"
    shown = {panel: drawn(panel).shown for panel in sidebar_panels()}
    places = [panel for panel in shown if bar in shown[panel]]
    assert [START[job] in before[panel] for panel in places] == [True]
    for panel, texts in shown.items():
        if panel not in places:
            assert texts == before[panel]
            continue
        where = texts.index(bar)
        # The button to cancel stands in the bar's row.
        assert [*texts[:where], START[job], *texts[where + 2 :]] == before[panel]
    assert not ops.synergyface.choose_photo.poll()


def test_progress_says_which_file_of_a_folder(running: Callable[..., None]) -> None:
    running("folder", fraction=0.25, stage="fitting", part="3 of 20", subject="ann.jpg")
    shown = drawn(submodule("panels.batch").SYNERGYFACE_PT_batch).shown
    assert "3 of 20: fitting  25%" in shown
    words = submodule("operators.base").words
    task = submodule("runtime").runtime().task
    assert words(task.progress) == "3 of 20, ann.jpg: fitting 25%"


def test_an_image_has_to_be_open(scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = submodule("panels.face")
    for image in (None, object()):
        monkeypatch.setattr(panel, "open_image", lambda _, image=image: image)
        pieces = drawn(panel.SYNERGYFACE_PT_face).pieces
        [button] = [p for p in pieces if p.shown == "synergyface.face_from_active_image"]
        assert button.enabled == bool(image)
    assert "Face from Image…" in drawn(submodule("panels.image").SYNERGYFACE_PT_image).shown


def test_the_head_panel_needs_a_head(scene: bpy.types.Scene) -> None:
    panel = submodule("panels.head").SYNERGYFACE_PT_head
    expression = submodule("panels.head").SYNERGYFACE_PT_expression
    assert not panel.poll(bpy.context)
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head.parent
    assert panel.poll(bpy.context)
    shown = drawn(panel).shown
    assert {head.name, "Apply Photo Pose", "scale", "Ears", "Add Landmarks"} <= set(shown)
    assert {"Expression_00 (σ)", "Expression_09 (σ)"} <= set(drawn(expression).shown)
    ops.synergyface.apply_photo_pose()
    ops.synergyface.landmarks()
    assert {"Reset Pose", "Remove Landmarks"} <= set(drawn(panel).shown)
    head.parent = None
    bpy.context.view_layer.objects.active = head
    assert "Parent the head to its pose Empty again" in " ".join(drawn(panel).shown)
    head.shape_key_clear()
    assert drawn(expression).shown == ["The head has no shape keys"]


def test_the_present_texture_is_marked(scene: bpy.types.Scene) -> None:
    head = select_head(scene)
    key = submodule("scene.identity").TEXTURE_MODE
    panel = submodule("panels.head")
    modes = submodule("settings.heads").TEXTURE_MODES
    for mode, name, _ in modes:
        head[key] = mode
        assert f"Texture: {name}" in drawn(panel.SYNERGYFACE_PT_head).shown
        pieces = list(drawn(panel.SYNERGYFACE_MT_texture).pieces)
        assert [piece.shown for piece in pieces] == [other for _, other, _ in modes]
        assert [p.shown for p in pieces if p.icon == "RADIOBUT_ON"] == [name]
    del head[key]
    assert "Change Texture" in drawn(panel.SYNERGYFACE_PT_head).shown


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
    found_backend: Callable[..., None],
    state: str,
    code: str,
    installed: str,
    button: str | None,
) -> None:
    found_backend(state, "why", code, installed)
    shown = drawn(submodule("panels.backend").SYNERGYFACE_PT_backend).shown
    assert shown[0].startswith("Backend: ")
    assert ("why" in " ".join(shown)) == (installed == "complete")
    view = submodule("backend_view")
    buttons = {*view.INSTALL.values(), view.REPAIR, "Start Backend"}
    assert [text for text in shown if text in buttons] == [button] * bool(button)


def test_the_panels_read_from_top_to_bottom(addon: Any) -> None:
    order = [panel.bl_label for panel in sidebar_panels() if not hasattr(panel, "bl_parent_id")]
    assert order == [label for label in ORDER if label in order]
    assert {"Face", "Backend"} <= set(order)


@pytest.mark.parametrize("mode", ["automatic", "python", "address"])
def test_the_preferences_show_the_backend(preferences: Any, mode: str) -> None:
    preferences.mode, preferences.address = mode, "127.0.0.1:1"
    shown = drawn_preferences(preferences).shown
    assert {"device", "wheels", "torch_index", "installer_python"} <= set(shown)
    assert any(text.startswith("Backend: ") for text in shown)
    assert "synergyface.copy_diagnostics" in shown
    assert ("Enter Token…" in shown) == (mode == "address")
    assert MODULE in bpy.context.preferences.addons


def test_texts_are_broken_where_they_have_to_be(addon: Any) -> None:
    wrapping = submodule("wrapping")
    assert wrapping.wrapped("one two three", 7, len) == ["one two", "three"]
    assert wrapping.wrapped("see /a/long/path now", 6, len) == ["see", "/a/lon", "g/path", "now"]
    assert wrapping.wrapped("", 7, len) == [""]
    assert wrapping.shortened("one two three", 13, len) == "one two three"
    assert wrapping.shortened("one two three", 8, len) == "one two…"
