"""The token of a backend at an address stays in memory: Blender's settings are a file for all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy
import pytest
from conftest import MODULE, ops, submodule

SECRET = "a-token-of-forty-three-characters-for-today"


def saved_settings() -> bytes:
    """Content of the file that Blender writes its settings to."""
    bpy.ops.wm.save_userpref()
    [path] = Path(os.environ["BLENDER_USER_RESOURCES"]).rglob("userpref.blend")
    return path.read_bytes()


@pytest.mark.parametrize("way", ["entered", "by script"])
def test_it_is_used_and_not_saved(preferences: Any, way: str) -> None:
    preferences.mode, preferences.address = "address", "127.0.0.1:8123"
    if way == "entered":
        assert ops.synergyface.enter_token(token=f" {SECRET}\n") == {"FINISHED"}
    else:
        preferences.token = SECRET
    settings = saved_settings()
    assert b"127.0.0.1:8123" in settings and SECRET.encode() not in settings
    assert submodule("preferences").backend_location(bpy.context).token == SECRET
    last = bpy.context.window_manager.operator_properties_last("synergyface.enter_token")
    assert last.token == ""


def test_one_that_an_earlier_version_has_saved_is_removed(preferences: Any) -> None:
    apart = getattr(preferences, "bl_system_properties_get", None)
    kept = apart(do_create=True) if apart else preferences
    kept["token"] = SECRET
    assert SECRET.encode() in saved_settings()
    bpy.ops.preferences.addon_disable(module=MODULE)
    bpy.ops.preferences.addon_enable(module=MODULE)
    assert bpy.context.preferences.is_dirty
    assert SECRET.encode() not in saved_settings()


def test_it_is_forgotten_when_the_add_on_is_switched_off(preferences: Any) -> None:
    preferences.token = SECRET
    bpy.ops.preferences.addon_disable(module=MODULE)
    bpy.ops.preferences.addon_enable(module=MODULE)
    assert bpy.context.preferences.addons[MODULE].preferences.token == ""
