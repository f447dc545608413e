"""Where this installation is, written down for the add-on, which has to find and start it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from backend.data_folder import atomic_path, data_folder
from backend.version import VERSION


def installation_file() -> Path:
    """Return ``installation.json`` in the data folder; the add-on reads it there."""
    return data_folder() / "installation.json"


def record_installation() -> Path:
    """Write down which Python has this backend: {"python": path, "version": ours}."""
    path = installation_file()
    with atomic_path(path) as temporary:
        record = {"python": sys.executable, "version": VERSION}
        temporary.write_text(json.dumps(record), encoding="utf-8")
    return path
