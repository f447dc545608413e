"""What a data step did, beside what it made: a JSON file that says where the data come from."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from backend.data_folder import atomic_path
from backend.version import VERSION

PACKAGES = ("mediapipe", "numpy", "scipy", "torch")


def write_manifest(
    data: Path,
    step: str,
    counts: Mapping[str, int],
    skipped: Mapping[str, str] | None = None,
    **more: Any,
) -> Path:
    """Write ``NAME.manifest.json`` beside a file, or ``manifest.json`` into a folder.

    Parameters
    ----------
    data
        What the step made.
    step
        Name of the step, as on the command line.
    counts
        How many of what.
    skipped
        Names of what was left out, and why.
    more
        Anything else that JSON can hold: settings, mean errors.
    """
    path = manifest_path(data)
    manifest = {
        "step": step,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "counts": dict(counts),
        "skipped": dict(skipped or {}),
        "versions": {"synergyface": VERSION, "python": platform.python_version(), **_versions()},
        **more,
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return path


def manifest_path(data: Path) -> Path:
    """Tell where the manifest of a file or folder is."""
    return data / "manifest.json" if data.is_dir() else data.with_suffix(".manifest.json")


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
