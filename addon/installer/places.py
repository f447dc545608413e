"""Where the backend's data and its environments lie, and what is written down about them.

``<data>/backend/<name>/`` is a virtual environment. ``installed.json`` in it is written last: an
environment without it is incomplete. ``<data>/installation.json`` names the Python in use.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from .ownership import is_ours

DATA_VARIABLE = "SYNERGYFACE_DATA"
MARKER = "installed.json"

Kind = Literal["none", "incomplete", "outdated", "complete"]


@dataclass(frozen=True)
class Marker:
    """What was installed.

    Attributes
    ----------
    version
        Of the backend.
    wheel
        SHA-256 of its wheel.
    device
        ``cpu`` or ``cuda``: which PyTorch was asked for.
    """

    version: str
    wheel: str
    device: str


@dataclass(frozen=True)
class InstallState:
    """What there is on this computer: its kind, and the version in use (empty: none)."""

    kind: Kind
    version: str = ""


def data_folder(
    environment: Mapping[str, str] = os.environ,
    home: Path | None = None,
    platform: str = sys.platform,
) -> Path:
    """Return the folder in which the backend keeps its data; the same rule as the backend's own."""
    if environment.get(DATA_VARIABLE):
        return Path(environment[DATA_VARIABLE]).expanduser()
    home = home or Path.home()
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData/Local") / "synergyface"
    if platform == "darwin":
        return home / "Library/Application Support/synergyface"
    return Path(environment.get("XDG_DATA_HOME") or home / ".local/share") / "synergyface"


def environments_folder(data: Path) -> Path:
    """Return the folder of the environments that the installer makes."""
    return data / "backend"


def python_of(environment: Path, platform: str = sys.platform) -> Path:
    """Return the Python of a virtual environment."""
    return environment / ("Scripts/python.exe" if platform == "win32" else "bin/python")


def read_marker(environment: Path) -> Marker | None:
    """Return what is installed in an environment; None if it is not complete."""
    record = _read_json(environment / MARKER)
    try:
        return Marker(**{name: str(value) for name, value in record.items()})
    except TypeError:
        return None


def write_marker(environment: Path, marker: Marker) -> None:
    """Declare an environment complete."""
    temporary = environment / f".{MARKER}"
    temporary.write_text(json.dumps(asdict(marker)), encoding="utf-8")
    temporary.replace(environment / MARKER)


def recorded_python(data: Path) -> Path | None:
    """Return the Python of the installation in use, if it is still there."""
    python = str(_read_json(data / "installation.json").get("python", ""))
    return Path(python) if python and Path(python).is_file() else None


def install_state(data: Path, wanted_version: str) -> InstallState:
    """Return what is installed, as far as the files say, which cost next to nothing to read.

    Parameters
    ----------
    data
        The data folder.
    wanted_version
        The add-on's own: another one is outdated.
    """
    python = recorded_python(data)
    if python is not None:
        version = str(_read_json(data / "installation.json").get("version", ""))
        ours = environments_folder(data) in python.parents
        if ours and read_marker(python.parents[1]) is None:
            return InstallState("incomplete", version)
        return InstallState("complete" if version == wanted_version else "outdated", version)
    return InstallState("incomplete" if environments(data) else "none")


def environments(data: Path) -> list[Path]:
    """List every environment that an installer of ours has made, complete or not."""
    found = (path.parent for path in environments_folder(data).glob("*/pyvenv.cfg"))
    # Installers before the mark left complete ones without it.
    return sorted(path for path in found if is_ours(path) or read_marker(path) is not None)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
