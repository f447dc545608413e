"""What is open in Blender: parts of the context that may be missing while a file is loaded."""

from __future__ import annotations

from typing import TypeVar

import bpy

from ..problems import Problem

Part = TypeVar("Part")


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    """Return the open scene.

    Raises
    ------
    Problem
        None is open.
    """
    return _there(context.scene, "scene")


def view_layer_of(context: bpy.types.Context) -> bpy.types.ViewLayer:
    """Return the open view layer.

    Raises
    ------
    Problem
        None is open.
    """
    return _there(context.view_layer, "view layer")


def window_manager_of(context: bpy.types.Context) -> bpy.types.WindowManager:
    """Return the window manager.

    Raises
    ------
    Problem
        Blender has none.
    """
    return _there(context.window_manager, "window")


def _there(part: Part | None, name: str) -> Part:
    if part is None:
        raise Problem(f"No {name} is open.", "Wait until the file is loaded, and try again.")
    return part
