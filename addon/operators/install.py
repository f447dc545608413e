"""Operators that install the backend: one that asks, one that does it."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from collections.abc import Callable
from typing import Any

import bpy

from ..connection.connection import Connection
from ..installer.failures import InstallError
from ..installer.install import install
from ..installer.payload import find_payload
from ..installer.places import data_folder
from ..installer.plan import BFM_LICENCE, Options, Plan, make_plan
from ..preferences import install_options
from ..problems import Problem
from ..runtime import runtime
from ..scene.context_parts import window_manager_of
from ..tasks import Reporter
from ..wrapping import MARGIN_PIXELS, draw_text
from .base import Outcome, ReportingOperator, TaskOperator, WhenIdle

DIALOG_WIDTH = 560

# The stubs of bpy know Blender's own operators only.
blender_operators: Any = bpy.ops


class SYNERGYFACE_OT_ask_to_install(WhenIdle, ReportingOperator, bpy.types.Operator):
    """Show what will be downloaded, how much and from where. Install it if you agree"""

    bl_idname = "synergyface.ask_to_install"
    bl_label = "Install Backend"
    bl_options = {"INTERNAL"}

    accept_bfm_license: bpy.props.BoolProperty(
        name="I accept the Basel Face Model's licence",
        description="The face model may be used for non-commercial purposes only",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Begin, by a click."""
        return self.guard(self._ask, context)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the dialog."""
        layout: Any = self.layout
        column = layout.column(align=True)
        for text in (*self._lines, "", f"Basel Face Model: {BFM_LICENCE}"):
            draw_text(column, context, text, pixels=DIALOG_WIDTH - MARGIN_PIXELS)
        layout.prop(self, "accept_bfm_license")

    def run(self, context: bpy.types.Context) -> Outcome:
        """Begin when the person has agreed: a modal operator of its own does the work."""
        try:
            return blender_operators.synergyface.install_backend(
                "INVOKE_DEFAULT", accept_bfm_license=self.accept_bfm_license
            )
        except RuntimeError as error:  # what that operator has reported
            raise Problem(str(error).removeprefix("Error: ").strip()) from error

    def _ask(self, context: bpy.types.Context) -> Outcome:
        self._lines = planned(install_options(context)).lines()
        return window_manager_of(context).invoke_props_dialog(
            self, width=DIALOG_WIDTH, title=self.bl_label, confirm_text="Install"
        )


class SYNERGYFACE_OT_install_backend(TaskOperator, bpy.types.Operator):
    """Install, repair or update the backend as the preferences say"""

    bl_idname = "synergyface.install_backend"
    bl_label = "Install Backend"
    bl_options = {"INTERNAL"}
    job = "installation"
    # It takes minutes, in which Esc is pressed for many reasons.
    esc_cancels = False

    accept_bfm_license: bpy.props.BoolProperty(
        name="Accept the Basel Face Model's Licence",
        description="The face model may be used for non-commercial purposes only",
        options={"SKIP_SAVE"},
    )

    def work(self, context: bpy.types.Context) -> Callable[[Reporter], Any]:
        """Check what Blender knows; the rest is the worker's."""
        if not self.accept_bfm_license:
            raise Problem(
                "The Basel Face Model's licence was not accepted.",
                "Tick the box if you accept it.",
            )
        options, connection = install_options(context), runtime().connection
        _require_online(options)
        return lambda report: _install(options, connection, report)

    def finish(self, context: bpy.types.Context, value: dict[str, Any]) -> None:
        """Tell."""
        version, device = value.get("version"), value.get("device")
        self.report({"INFO"}, f"Backend {version} is installed. It runs on {device}")


def planned(options: Options) -> Plan:
    """Return what an installation would do.

    Raises
    ------
    Problem
        It cannot be done.
    """
    _require_online(options)
    try:
        return make_plan(options, find_payload(), data_folder())
    except InstallError as error:
        raise Problem(error.message, error.remedy) from error


def _install(options: Options, connection: Connection, report: Reporter) -> dict[str, Any]:
    report(0.0, "Checking this computer")
    plan = planned(options)
    # The one in use is started again by whoever needs it, be it the new one or still the old one.
    connection.stop()
    try:
        return install(plan, report)
    except InstallError as error:
        raise Problem(error.message, error.remedy) from error


def _require_online(options: Options) -> None:
    if options.wheels is None and not bpy.app.online_access:
        raise Problem(
            "Online access is turned off in Blender.",
            "Turn on Preferences > System > Network > Allow Online Access, or choose a folder "
            "of wheels in the add-on's preferences.",
        )


CLASSES = (SYNERGYFACE_OT_ask_to_install, SYNERGYFACE_OT_install_backend)
