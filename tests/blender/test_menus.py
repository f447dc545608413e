"""Entries in Blender's menus, and the file browser that they open."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from conftest import MODULE, ops, submodule
from fake_backend import face
from layouts import Layout, drawn
from modal import FakeContext, made
from test_scene import put

ENTRIES = {
    "VIEW3D_MT_mesh_add": {"Face from Image…"},
    "TOPBAR_MT_file_import": {
        "Face from Image (SynergyFace)",
        "Animate Face from Video (SynergyFace)",
        "Faces from Folder (SynergyFace)",
        "Live Link Face (.csv, SynergyFace)",
    },
    "TOPBAR_MT_file_export": {
        "SynergyFace Head (.glb/.fbx/.obj)",
        "SynergyFace Animation (.csv)",
        "Live Link Face (.csv, SynergyFace)",
    },
    "VIEW3D_MT_object": {"SYNERGYFACE_MT_head"},
}
CHOOSERS = {"photo": "choose_photo", "animation": "choose_clip", "batch": "choose_folder"}


class Browsing(FakeContext):
    """Notes where the file browser is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def fileselect_add(self, operator: Any) -> None:
        found = vars(operator)
        self.opened.append(found.get("filepath") or found.get("directory", ""))


def added(menu: str) -> list[Any]:
    """Functions by which we add to a menu of Blender."""
    functions = getattr(bpy.types, menu)._dyn_ui_initialize()
    return [f for f in functions if f.__module__.startswith(MODULE)]


def chooser(name: str) -> Any:
    """The class of an operator that opens the file browser."""
    return getattr(submodule(f"operators.{name}"), f"SYNERGYFACE_OT_{CHOOSERS[name]}")


@pytest.fixture
def backend_there(preferences: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a backend be installed, as far as file browsers see."""
    monkeypatch.setattr(submodule("operators.choosing"), "find_command", str)


def test_blenders_menus_have_entries_and_lose_them(addon: Any) -> None:
    for menu, texts in ENTRIES.items():
        layout = Layout()
        for draw in added(menu):
            draw(SimpleNamespace(layout=layout), bpy.context)
        assert set(layout.shown) == texts
    bpy.ops.preferences.addon_disable(module=MODULE)
    try:
        assert [added(menu) for menu in ENTRIES] == [[]] * len(ENTRIES)
    finally:
        bpy.ops.preferences.addon_enable(module=MODULE)


def test_the_head_menu_has_what_the_panel_has(scene: bpy.types.Scene) -> None:
    menu = submodule("menus").SYNERGYFACE_MT_head
    shown = drawn(menu).shown
    assert {"Show or Hide Part", "synergyface.subdivide", "SYNERGYFACE_MT_texture"} <= set(shown)
    assert not ops.synergyface.landmarks.poll()
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head
    assert ops.synergyface.landmarks.poll()


@pytest.mark.parametrize("name", CHOOSERS)
def test_the_browser_opens_where_it_was_left(
    backend_there: None, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "somebody.png").touch()
    of_files = name != "batch"
    chosen = {"filepath": str(folder / "somebody.png")} if of_files else {"directory": str(folder)}
    handed: list[Any] = []
    operator = made(chooser(name), hand_over=lambda self: handed.append(self), **chosen)
    assert operator.execute(Browsing()) == {"FINISHED"}
    assert handed
    context = Browsing()
    made(chooser(name)).invoke(context, None)
    (folder / "somebody.png").unlink()
    folder.rmdir()
    made(chooser(name)).invoke(context, None)
    assert context.opened == [f"{folder}/", ""]


@pytest.mark.parametrize("name", CHOOSERS)
def test_the_browser_shows_pictures_of_what_can_be_read(addon: Any, name: str) -> None:
    rna = getattr(ops.synergyface, CHOOSERS[name]).get_rna_type()
    # The names, and the numbers behind them, that Blender's own operators use.
    own = ops.image.open.get_rna_type().properties["display_type"].enum_items
    ours = rna.properties["display_type"].enum_items
    numbers = {item.identifier: item.value for item in own}
    assert {item.identifier: item.value for item in ours} == numbers
    assert rna.properties["display_type"].default == "THUMBNAIL"
    if name != "batch":
        assert "*.mp4" in rna.properties["filter_glob"].default or name == "photo"
        assert "*.png" in rna.properties["filter_glob"].default or name == "animation"


def test_a_file_is_exported_to_where_the_last_one_went(
    scene: bpy.types.Scene, tmp_path: Path
) -> None:
    export = submodule("operators.export")
    [head] = put(scene, face(100))
    bpy.context.view_layer.objects.active = head
    folder = tmp_path / "heads"
    folder.mkdir()
    ops.synergyface.export_head(filepath=str(folder / "ann.obj"), file_format="obj")
    context = Browsing()
    made(export.SYNERGYFACE_OT_export_motion).invoke(context, None)
    assert [Path(path).parent for path in context.opened] == [folder]
