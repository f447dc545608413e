"""The add-on's preferences: where the backend is, how it is doing, how it is installed."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

from pathlib import Path
from typing import Any

import bpy

from .backend_view import draw_recent, draw_remedy, draw_status
from .connection.connection import Location
from .installer.plan import Options
from .runtime import runtime

DEVICES = (
    (
        "auto",
        "Automatic",
        "For an NVIDIA GPU with a recent driver if there is one, else for the processor",
    ),
    ("cpu", "Processor", "A small download that runs everywhere. On a Mac it uses the GPU"),
    ("cuda", "NVIDIA GPU", "A large download for NVIDIA GPUs"),
)


class SYNERGYFACE_preferences(bpy.types.AddonPreferences):
    """How to find and install the backend"""

    bl_idname = str(__package__)

    mode: bpy.props.EnumProperty(
        name="Backend",
        description="How to find the backend, the program that does the work",
        items=(
            ("automatic", "Automatic", "Find the backend on this computer and start it"),
            ("python", "Python", "Start the backend with the Python that you choose"),
            ("address", "Address", "Use a backend that you have started yourself on this computer"),
        ),
    )
    python: bpy.props.StringProperty(
        name="Python",
        description="The Python in the backend's virtual environment",
        subtype="FILE_PATH",
    )
    address: bpy.props.StringProperty(
        name="Address",
        description="Address and port of the backend, such as 127.0.0.1:8123. Leave it empty "
        "to find a backend that you have started yourself",
    )
    show_installation: bpy.props.BoolProperty(
        name="Installation",
        description="Show how the backend is installed",
    )
    device: bpy.props.EnumProperty(
        name="Install for",
        description="The hardware to install the backend for",
        items=DEVICES,
    )
    wheels: bpy.props.StringProperty(
        name="Wheels Folder",
        description="Install all packages from this folder, without network. To fill one, run "
        "`python synergyface-<version>.zip --download FOLDER` on a computer with "
        "network",
        subtype="DIR_PATH",
    )
    torch_index: bpy.props.StringProperty(
        name="PyTorch Index",
        description="Address of the package index for PyTorch. Empty: the usual one. `pip`: "
        "the one that pip uses",
    )
    installer_python: bpy.props.StringProperty(
        name="Use Python",
        description="Python to install the backend with. Empty: Blender's own, or another one "
        "that is found",
        subtype="FILE_PATH",
    )

    @property
    def token(self) -> str:
        """Secret of the backend at that address; no property of Blender's, which would save it."""
        return runtime().token

    @token.setter
    def token(self, token: str) -> None:
        runtime().token = token

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        layout.use_property_split = True
        layout.row().prop(self, "mode", expand=True)
        if self.mode == "python":
            layout.prop(self, "python")
        elif self.mode == "address":
            layout.prop(self, "address", placeholder="127.0.0.1:8123")
            if self.address:
                text = "Change Token…" if runtime().token else "Enter Token…"
                layout.operator("synergyface.enter_token", text=text, icon="KEYINGSET")
        draw_status(layout, context, self.mode)
        draw_remedy(layout, context, self.mode, start=False)
        draw_recent(layout, context)
        row = layout.row()
        row.operator("synergyface.start_backend", icon="PLAY")
        row.operator("synergyface.stop_backend", icon="PAUSE")
        row = layout.row()
        row.operator("synergyface.open_log", icon="TEXT")
        row.operator("synergyface.copy_diagnostics", icon="COPYDOWN")
        _draw_installation(layout, self)


def _draw_installation(layout: Any, preferences: SYNERGYFACE_preferences) -> None:
    header = layout.row()
    # After a property without a box in two columns Blender draws all later ones without boxes,
    # and lets nobody click them.
    header.use_property_split = False
    header.alignment = "LEFT"
    icon = "DOWNARROW_HLT" if preferences.show_installation else "RIGHTARROW"
    header.prop(preferences, "show_installation", icon=icon, emboss=False)
    if not preferences.show_installation:
        return
    column = layout.box().column()
    for name in ("device", "wheels", "torch_index", "installer_python"):
        column.prop(preferences, name)
    column.operator("synergyface.ask_to_install", text="Install, Update or Repair…")


def backend_location(context: bpy.types.Context) -> Location:
    """Return what the preferences say on the backend's place, as a plain value."""
    preferences = _preferences(context)
    return Location(
        preferences.mode,
        bpy.path.abspath(preferences.python),
        preferences.address,
        preferences.token,
    )


def install_options(context: bpy.types.Context) -> Options:
    """Return what the preferences say on the installation, as a plain value."""
    preferences = _preferences(context)
    wheels = bpy.path.abspath(preferences.wheels)
    return Options(
        device=preferences.device,
        wheels=Path(wheels) if wheels else None,
        torch_index=preferences.torch_index.strip(),
        python=bpy.path.abspath(preferences.installer_python),
    )


def forget_saved_token(context: bpy.types.Context) -> None:
    """Remove the token that earlier versions kept with Blender's settings, a file for all to read.

    The file loses it when Blender saves its settings next, as it does at its end.
    """
    preferences: Any = _preferences(context)
    # Blender 5 keeps what a property has held apart from what scripts put there.
    apart = getattr(preferences, "bl_system_properties_get", None)
    kept = apart() if apart else preferences
    everything = context.preferences
    if kept and everything and "token" in kept.keys():  # noqa: SIM118
        del kept["token"]
        everything.is_dirty = True


def _preferences(context: bpy.types.Context) -> SYNERGYFACE_preferences:
    everything = context.preferences
    assert everything is not None
    preferences = everything.addons[str(__package__)].preferences
    assert isinstance(preferences, SYNERGYFACE_preferences)
    return preferences


CLASSES = (SYNERGYFACE_preferences,)
