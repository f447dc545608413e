"""What the extension carries for the installer: the backend's wheel and its constraints."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from .failures import InstallError

FOLDER = "payload"
CONSTRAINTS = "constraints.txt"


@dataclass(frozen=True)
class Payload:
    """The wheel and the versions to install it with.

    Attributes
    ----------
    wheel, constraints
        The files; inside a zip until `unpacked`.
    version
        Of the backend.
    """

    wheel: Traversable
    constraints: Traversable
    version: str

    def sha256(self) -> str:
        """Of the wheel."""
        return hashlib.sha256(self.wheel.read_bytes()).hexdigest()

    @contextmanager
    def unpacked(self) -> Iterator[tuple[Path, Path]]:
        """Wheel and constraints as files on the disk, for the length of the block."""
        with tempfile.TemporaryDirectory(prefix="synergyface-") as temporary:
            paths = []
            for source in (self.wheel, self.constraints):
                paths.append(Path(temporary) / source.name)
                with source.open("rb") as stream, paths[-1].open("wb") as file:
                    shutil.copyfileobj(stream, file)
            yield paths[0], paths[1]


def find_payload() -> Payload:
    """What this copy of the add-on carries.

    Raises
    ------
    InstallError
        Nothing: it is not a built extension.
    """
    folder = files(__package__ or "") / FOLDER
    wheels = [p for p in folder.iterdir() if p.name.endswith(".whl")] if folder.is_dir() else []
    if not wheels:
        raise InstallError(
            "This copy of the add-on does not carry the backend.",
            "Build the extension by `python build_addon.py`, and install from its zip.",
        )
    return Payload(wheels[0], folder / CONSTRAINTS, wheels[0].name.split("-")[1])
