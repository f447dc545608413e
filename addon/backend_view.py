"""The backend's state in words, with the button that solves its problem."""

from __future__ import annotations

from typing import Any

import bpy

from .connection.client import BackendError
from .connection.search import find_command
from .installer.places import InstallState, data_folder, install_state
from .progress_view import draw_progress
from .runtime import runtime
from .wrapping import draw_text, measure_in, room_in, shortened

ICONS = {
    "stopped": "RADIOBUT_OFF",
    "starting": "SORTTIME",
    "loading": "SORTTIME",
    "ready": "CHECKMARK",
    "failed": "ERROR",
}
# What an installation is offered as, by what there is.
INSTALL = {
    "none": "Install Backend…",
    "incomplete": "Finish Installing…",
    "outdated": "Update Backend…",
}
MISSING = {
    "none": "not installed",
    "incomplete": "the installation is not complete",
    "outdated": "version {version} is installed, but this add-on needs {wanted}",
}
REPAIR = "Repair Backend…"
REPAIRABLE = ("missing-asset", "damaged-installation", "no-backend")


def draw_status(layout: Any, context: bpy.types.Context, mode: str = "automatic") -> None:
    """Draw the state of the backend, in as many lines as it takes.

    Parameters
    ----------
    layout
        Of a panel.
    context
        Whose region is being drawn.
    mode
        How the preferences say that the backend is found.
    """
    status = runtime().connection.status
    state = installation(mode)
    if status.state in ("stopped", "failed") and state.kind != "complete":
        text = MISSING[state.kind].format(version=state.version, wanted=runtime().version)
        draw_text(layout, context, f"Backend: {text}", icon="ERROR")
        return
    text = f"Backend: {status.state}"
    text = f"{text}. {status.detail}" if status.detail else text
    draw_text(layout, context, text, icon=ICONS[status.state])


def draw_remedy(
    layout: Any, context: bpy.types.Context, mode: str = "automatic", *, start: bool = True
) -> None:
    """Draw the button that solves the backend's problem, or how far that is.

    Parameters
    ----------
    layout, context, mode
        As for `draw_status`.
    start
        Whether starting the backend counts as a solution: not where a button for it stands anyway.
    """
    if draw_progress(layout, context, "backend", "installation"):
        return
    status, state = runtime().connection.status, installation(mode)
    if status.state not in ("stopped", "failed"):
        return
    if state.kind != "complete":
        layout.operator("synergyface.ask_to_install", text=INSTALL[state.kind], icon="IMPORT")
    elif status.code == "protocol-mismatch" and mode == "automatic":
        layout.operator("synergyface.ask_to_install", text=INSTALL["outdated"], icon="IMPORT")
    elif status.code in REPAIRABLE and mode == "automatic":
        layout.operator("synergyface.ask_to_install", text=REPAIR, icon="TOOL_SETTINGS")
    elif start:
        layout.operator("synergyface.start_backend", text="Start Backend", icon="PLAY")


def draw_recent(layout: Any, context: bpy.types.Context) -> None:
    """Draw the last lines of the log, while the backend is started or installed."""
    current = runtime()
    if current.task_for("backend", "installation") is None:
        return
    lines = layout.box().column(align=True)
    lines.scale_y = 0.7
    for line in current.diagnostics.recent:
        lines.label(text=shortened(line, room_in(context), measure_in(context)))


def installation(mode: str = "automatic") -> InstallState:
    """Return what is installed; a backend that was installed by hand and is found counts as
    complete.
    """
    if mode != "automatic":
        return InstallState("complete")
    state = install_state(data_folder(), runtime().version)
    if state.kind != "none":
        return state
    try:
        find_command()
    except BackendError:
        return state
    return InstallState("complete")
