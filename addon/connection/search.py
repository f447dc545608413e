"""Find the backend on this computer. No ``bpy`` here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..installer.places import data_folder, python_of, recorded_python
from .client import BackendError

PYTHON_VARIABLE = "SYNERGYFACE_PYTHON"
# Our own child may read clips by the paths that are chosen in Blender's file browser.
SERVE = ("serve", "--exit-with-parent", "--allow-paths")
INSTALL_REMEDY = (
    "Install the backend in the add-on's preferences, or name there the Python that has it."
)


def find_command(
    python: str = "", environment: Mapping[str, str] = os.environ, home: Path | None = None
) -> tuple[str, ...]:
    """Command that starts the backend.

    Parameters
    ----------
    python
        Path of the Python that has the backend; empty searches ``$SYNERGYFACE_PYTHON``, then the
        one that the installer or `synergyface assets fetch` wrote down, then the ``.venv`` of the
        places where it is usually installed by hand, then ``synergyface`` on the PATH.
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
            source = "The preferences" if python else f"${PYTHON_VARIABLE}"
            raise BackendError(
                f"{source} name a Python that does not exist: {path}.",
                INSTALL_REMEDY,
                "no-backend",
            )
        return (str(path), "-m", "backend.cli", *SERVE)
    home = home or Path.home()
    for installed in _installed(environment, home):
        return (str(installed), "-m", "backend.cli", *SERVE)
    program = shutil.which("synergyface", path=environment.get("PATH"))
    if program:
        return (program, *SERVE)
    raise BackendError("The SynergyFace backend was not found.", INSTALL_REMEDY, "no-backend")


def server_file() -> Path:
    """Where a backend that was started by hand leaves its port and token."""
    return data_folder() / "server.json"


def _installed(environment: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Pythons that are there and have the backend, most particular first."""
    recorded = recorded_python(data_folder(environment, home))
    if recorded:
        yield recorded
    for parent in (home, home / "Documents", home / "Downloads"):
        for name in ("SynergyFace", "synergyface"):
            python = python_of(parent / name / ".venv")
            if python.is_file():
                yield python
