"""Find a Python that can carry the backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .children import child_environment, no_window
from .failures import InstallError
from .programs import find_program

OLDEST, NEWEST = (3, 11), (3, 14)
PROBE_SECONDS = 20
PROBE = """
import importlib.util, json, struct, sys
print(json.dumps({
    "version": sys.version_info[:3],
    "bits": 8 * struct.calcsize("P"),
    "lacks": [m for m in ("venv", "ensurepip", "ssl") if not importlib.util.find_spec(m)],
}))
"""


@dataclass(frozen=True)
class Python:
    """A Python that can carry the backend."""

    path: Path
    version: str


def find_python(chosen: str = "") -> Python:
    """Return the chosen Python, else the running one (Blender's own), else one on the PATH.

    Raises
    ------
    InstallError
        None can carry the backend; the message says why, for each.
    """
    reasons = []
    for path in [Path(chosen).expanduser()] if chosen else _candidates():
        found = _probe(path)
        if isinstance(found, Python):
            return found
        reasons.append(f"{path}: {found}")
    wanted = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
    raise InstallError(
        f"No suitable Python was found ({'; '.join(reasons) or 'there is none'}).",
        f"Install a 64-bit Python {wanted} from python.org, on Debian and Ubuntu "
        "`apt-get install python3-venv`, and name it in the settings of the installation.",
    )


def _candidates() -> Iterator[Path]:
    seen: set[Path] = set()
    for path in _places():
        # An embedding program such as Blender may be what sys.executable names.
        if path.is_file() and path.name.lower().startswith("python") and path not in seen:
            seen.add(path)
            yield path


def _places() -> Iterator[Path]:
    # In a virtual environment, the Python that it was made from: it lives longer.
    for running in (getattr(sys, "_base_executable", None), sys.executable):
        if running:
            yield Path(running)
    minors = range(NEWEST[1], OLDEST[1] - 1, -1)
    for name in (*(f"python3.{minor}" for minor in minors), "python3", "python"):
        found = find_program(name)
        if found:
            yield found
    local = os.environ.get("LOCALAPPDATA")
    if local:
        for minor in minors:
            yield Path(local) / f"Programs/Python/Python3{minor}/python.exe"


def _probe(path: Path) -> Python | str:
    """Return the Python at a path, or why it will not do."""
    try:
        run = subprocess.run(
            [str(path), "-I", "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=True,
            env=child_environment(),
            creationflags=no_window(),
        )
        facts: dict[str, Any] = json.loads(run.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return "does not run"
    version = tuple(facts["version"])
    if not OLDEST <= version[:2] <= NEWEST:
        return f"is Python {'.'.join(map(str, version))}"
    if facts["bits"] != 64:
        return "is a 32-bit Python"
    if facts["lacks"]:
        return f"lacks Python's module {facts['lacks'][0]}"
    return Python(path, ".".join(map(str, version)))
