"""The backend in one line, with the button that solves its problem."""

from __future__ import annotations

from typing import Any

from .connection.client import BackendError
from .connection.search import find_command
from .installer.places import InstallState, data_folder, install_state
from .runtime import runtime

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
    "none": "Not installed",
    "incomplete": "The installation is not complete",
    "outdated": "Version {version} is installed, the add-on has {wanted}",
}
REPAIR = "Repair Backend…"
REPAIRABLE = ("missing-asset", "damaged-installation", "no-backend")


def draw_status(layout: Any, mode: str = "automatic") -> None:
    """One line on the state of the backend.

    Parameters
    ----------
    layout
        Of a panel.
    mode
        How the preferences say that the backend is found.
    """
    status = runtime().connection.status
    state = installation(mode)
    if status.state in ("stopped", "failed") and state.kind != "complete":
        text = MISSING[state.kind].format(version=state.version, wanted=runtime().version)
        layout.label(text=f"Backend: {text}", icon="ERROR")
        return
    text = f"Backend: {status.state}"
    layout.label(
        text=f"{text}. {status.detail}" if status.detail else text, icon=ICONS[status.state]
    )


def draw_remedy(layout: Any, mode: str = "automatic") -> None:
    """The button that solves the backend's problem; nothing if it has none."""
    status, state = runtime().connection.status, installation(mode)
    if status.state not in ("stopped", "failed"):
        return
    if state.kind != "complete":
        layout.operator("synergyface.ask_to_install", text=INSTALL[state.kind], icon="IMPORT")
    elif status.code == "protocol-mismatch" and mode == "automatic":
        layout.operator("synergyface.ask_to_install", text=INSTALL["outdated"], icon="IMPORT")
    elif status.code in REPAIRABLE and mode == "automatic":
        layout.operator("synergyface.ask_to_install", text=REPAIR, icon="TOOL_SETTINGS")
    else:
        layout.operator("synergyface.start_backend", text="Start Backend", icon="PLAY")


def draw_task(layout: Any) -> bool:
    """How far the running task is, with its last lines in the log; False if none runs."""
    current = runtime()
    if current.task is None:
        return False
    progress = current.task.progress
    row = layout.row(align=True)
    row.progress(factor=progress.fraction, text=progress.stage or "Working")
    row.operator("synergyface.cancel", text="", icon="CANCEL")
    lines = layout.box().column(align=True)
    lines.scale_y = 0.7
    for line in current.diagnostics.recent:
        lines.label(text=line)
    return True


def installation(mode: str = "automatic") -> InstallState:
    """What is installed; a backend that was installed by hand and is found counts as complete."""
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
