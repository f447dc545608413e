"""The token of a backend at an address: entered, and kept for as long as Blender runs."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from typing import Any

import bpy

from ..runtime import runtime
from .base import Outcome, ReportingOperator


class SYNERGYFACE_OT_enter_token(ReportingOperator, bpy.types.Operator):
    """Enter the secret of the backend at that address. It is forgotten when Blender ends"""

    bl_idname = "synergyface.enter_token"
    bl_label = "Enter Token"
    bl_options = {"INTERNAL"}

    token: bpy.props.StringProperty(
        name="Token",
        description="From the backend's file server.json",
        subtype="PASSWORD",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Ask for it."""
        manager: Any = context.window_manager
        return manager.invoke_props_dialog(self)

    def run(self, context: bpy.types.Context) -> Outcome:
        """Keep it in memory."""
        runtime().token = self.token.strip()
        return {"FINISHED"}


CLASSES = (SYNERGYFACE_OT_enter_token,)
