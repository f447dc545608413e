"""Find the backend on this computer. No ``bpy`` here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..installer.places import data_folder, recorded_python
from ..installer.programs import find_program
from .client import BackendError

PYTHON_VARIABLE = "SYNERGYFACE_PYTHON"
# Our own child may read clips by the paths that are chosen in Blender's file browser.
SERVE = ("serve", "--exit-with-parent", "--allow-paths")
INSTALL_REMEDY = (
    "Install the backend in the add-on's preferences, or choose there the Python that has it."
)


def find_command(
    python: str = "", environment: Mapping[str, str] = os.environ, home: Path | None = None
) -> tuple[str, ...]:
    """Return the command that starts the backend.

    Parameters
    ----------
    python
        Path of the Python that has the backend; empty searches ``$SYNERGYFACE_PYTHON``, then the
        one that the installer or `synergyface assets fetch` wrote down, then ``synergyface`` on
        the PATH. Nothing else is run unasked.
    environment, home
        Where to search.

    Raises
    ------
    BackendError
        ``no-backend``: there is none.
    """
    chosen = python or environment.get(PYTHON_VARIABLE, "")
    if chosen:
        path = Path(chosen).expanduser()
        if not path.is_file():
            source = "the add-on's preferences" if python else f"${PYTHON_VARIABLE}"
            raise BackendError(
                f"The Python in {source} does not exist: {path}.",
                INSTALL_REMEDY,
                "no-backend",
            )
        return (str(path), "-m", "backend.cli", *SERVE)
    installed = recorded_python(data_folder(environment, home))
    if installed:
        return (str(installed), "-m", "backend.cli", *SERVE)
    program = find_program("synergyface", environment)
    if program:
        return (str(program), *SERVE)
    raise BackendError("The SynergyFace backend was not found.", INSTALL_REMEDY, "no-backend")


def server_file() -> Path:
    """Tell where a backend that was started by hand leaves its port and token."""
    return data_folder() / "server.json"
