"""The add-on comes and goes without a trace."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import bpy
from conftest import MODULE, ops


def test_registers_and_unregisters_twice(addon: ModuleType) -> None:
    def traces() -> list[str]:
        kinds: tuple[Any, ...] = (bpy.types.Operator, bpy.types.Panel, bpy.types.AddonPreferences)
        kinds += (bpy.types.FileHandler, bpy.types.PropertyGroup)
        return sorted(
            cls.__name__
            for kind in kinds
            for cls in kind.__subclasses__()
            if cls.__name__.startswith("SYNERGYFACE") and cls.is_registered
        )

    on = traces()
    assert len(on) >= 14
    for _ in range(2):
        bpy.ops.preferences.addon_disable(module=MODULE)
        assert traces() == []
        assert not hasattr(bpy.types.Scene, "synergyface")
        assert "synergyface" not in dir(ops)
        bpy.ops.preferences.addon_enable(module=MODULE)
        assert traces() == on
    assert bpy.context.scene.synergyface.which == "largest"


def test_a_dropped_image_is_offered_to_the_operator(addon: ModuleType) -> None:
    handler = bpy.types.FileHandler.bl_rna_get_subclass_py("SYNERGYFACE_FH_photo")
    assert handler.bl_import_operator == "synergyface.face_from_image"
    assert {".jpg", ".png", ".heic"} <= set(handler.bl_file_extensions.split(";"))


def test_one_undo_step_and_no_blocking_redo(addon: ModuleType) -> None:
    for name in ("face_from_image", "face_from_active_image"):
        rna = getattr(ops.synergyface, name).get_rna_type()
        options = bpy.types.Operator.bl_rna_get_subclass_py(rna.identifier).bl_options
        assert options == {"UNDO"}
