"""The add-on's preferences: where the backend is, and how it is doing."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

from typing import Any

import bpy

from .connection import Location
from .runtime import runtime

ICONS = {
    "stopped": "RADIOBUT_OFF",
    "starting": "SORTTIME",
    "loading": "SORTTIME",
    "ready": "CHECKMARK",
    "failed": "ERROR",
}


class SYNERGYFACE_preferences(bpy.types.AddonPreferences):
    """Where the backend is"""

    bl_idname = str(__package__)

    mode: bpy.props.EnumProperty(
        name="Backend",
        items=(
            ("automatic", "Automatic", "Search for the backend on this computer, and start it"),
            ("python", "Python", "Start the backend with a Python that you name"),
            ("address", "Address", "Use a backend that was started by hand on this computer"),
        ),
    )
    python: bpy.props.StringProperty(
        name="Python",
        description="Python of the backend's virtual environment",
        subtype="FILE_PATH",
    )
    address: bpy.props.StringProperty(
        name="Address",
        description="Loopback address and port; empty reads both, and the token, from the file "
        "that a backend started by hand writes",
    )
    token: bpy.props.StringProperty(
        name="Token",
        description="Secret of that backend",
        subtype="PASSWORD",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout: Any = self.layout
        layout.use_property_split = True
        layout.row().prop(self, "mode", expand=True)
        if self.mode == "python":
            layout.prop(self, "python")
        elif self.mode == "address":
            layout.prop(self, "address", placeholder="127.0.0.1:8123")
            if self.address:
                layout.prop(self, "token")
        draw_status(layout)
        row = layout.row()
        row.operator("synergyface.start_backend", icon="PLAY")
        row.operator("synergyface.stop_backend", icon="PAUSE")
        row = layout.row()
        row.operator("synergyface.open_log", icon="TEXT")
        row.operator("synergyface.copy_diagnostics", icon="COPYDOWN")


def draw_status(layout: Any) -> None:
    """One line on the state of the backend."""
    status = runtime().connection.status
    text = f"Backend: {status.state}"
    layout.label(
        text=f"{text}. {status.detail}" if status.detail else text, icon=ICONS[status.state]
    )


def backend_location(context: bpy.types.Context) -> Location:
    """What the preferences say, as a plain value."""
    preferences = context.preferences.addons[str(__package__)].preferences
    assert isinstance(preferences, SYNERGYFACE_preferences)
    return Location(
        preferences.mode,
        bpy.path.abspath(preferences.python),
        preferences.address,
        preferences.token,
    )


CLASSES = (SYNERGYFACE_preferences,)
