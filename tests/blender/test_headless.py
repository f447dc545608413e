"""The README's table of operators for use without a window is complete and right."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import bpy
from conftest import ROOT, ops

ROW = re.compile(r"^\| `synergyface\.(\w+)` \| (.*?) \|", re.MULTILINE)


def documented() -> dict[str, list[str]]:
    """Options that the README names, by operator."""
    text = (ROOT / "README.md").read_text("utf-8")
    return {name: re.findall(r"`(\w+)`", options) for name, options in ROW.findall(text)}


def test_the_table_names_every_operator_that_is_not_internal(addon: ModuleType) -> None:
    public = {
        cls.bl_idname.split(".")[1]
        for cls in bpy.types.Operator.__subclasses__()
        if cls.__name__.startswith("SYNERGYFACE_OT_")
        and "INTERNAL" not in getattr(cls, "bl_options", ())
        and cls.is_registered
    }
    assert set(documented()) == public


def test_the_options_in_the_table_exist(addon: ModuleType) -> None:
    for name, options in documented().items():
        properties: Any = getattr(ops.synergyface, name).get_rna_type().properties
        assert set(options) <= set(properties.keys()), name
