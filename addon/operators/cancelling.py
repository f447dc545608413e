"""Ways to stop the work: the button beside its progress, and Esc over a 3D viewport.

Esc is a key of Blender's keymap rather than an event of the modal operator that does the work. A
modal operator hears every key before menus, tools and other operators do: it cannot tell the Esc
that ends a grab from one that is meant for it. The keymap comes last.
"""

# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from __future__ import annotations

from typing import Any

import bpy

from ..runtime import runtime
from ..scene.context_parts import window_manager_of
from .base import Outcome, ReportingOperator

# The viewport and its sidebar.
KEYMAP = "3D View Generic"


class Cancelling(ReportingOperator):
    """Asks the running task to stop."""

    def run(self, context: bpy.types.Context) -> Outcome:
        """Ask it to stop: the modal operator notices at its next tick."""
        task = runtime().task
        if task is not None:
            task.cancel()
        return {"FINISHED"}


class SYNERGYFACE_OT_cancel(Cancelling, bpy.types.Operator):
    """Stop the job that is running"""

    bl_idname = "synergyface.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}


class SYNERGYFACE_OT_cancel_by_key(Cancelling, bpy.types.Operator):
    """Stop the job that is running, unless the key stops something else"""

    bl_idname = "synergyface.cancel_by_key"
    bl_label = "Cancel SynergyFace Job"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run; if not, the key goes on to whoever else wants it."""
        return runtime().key_cancels


def bind_key(context: bpy.types.Context) -> None:
    """Let Esc over a 3D viewport stop the work."""
    keys: Any = window_manager_of(context).keyconfigs.addon
    # Blender has none while it runs without windows.
    if keys is not None:
        keymap = keys.keymaps.new(name=KEYMAP, space_type="VIEW_3D")
        keymap.keymap_items.new(SYNERGYFACE_OT_cancel_by_key.bl_idname, "ESC", "PRESS")


def unbind_key(context: bpy.types.Context) -> None:
    """Take that back."""
    keys: Any = window_manager_of(context).keyconfigs.addon
    keymap = keys.keymaps.get(KEYMAP) if keys is not None else None
    if keymap is None:
        return
    for item in list(keymap.keymap_items):
        if item.idname == SYNERGYFACE_OT_cancel_by_key.bl_idname:
            keymap.keymap_items.remove(item)


CLASSES = (SYNERGYFACE_OT_cancel, SYNERGYFACE_OT_cancel_by_key)
