"""What the extension carries for the installer: the backend's wheel, and locks of its packages."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from .failures import InstallError
from .locks import LOCK_NAMES, Lock

FOLDER, LOCKS = "payload", "locks"


@dataclass(frozen=True)
class Payload:
    """The wheel and what to install it with.

    Attributes
    ----------
    wheel
        The file; inside a zip until `unpacked`.
    locks
        Texts by the names in `Lock`; see `installer.locks`.
    version
        Of the backend.
    """

    wheel: Traversable
    locks: Mapping[Lock, str]
    version: str

    def sha256(self) -> str:
        """Hash the wheel."""
        return hashlib.sha256(self.wheel.read_bytes()).hexdigest()

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """Put the wheel on the disk, for the length of the block."""
        with tempfile.TemporaryDirectory(prefix="synergyface-") as temporary:
            path = Path(temporary) / self.wheel.name
            with self.wheel.open("rb") as stream, path.open("wb") as file:
                shutil.copyfileobj(stream, file)
            yield path


def find_payload() -> Payload:
    """Find what this copy of the add-on carries.

    Raises
    ------
    InstallError
        Nothing: it is not a built extension.
    """
    here = files(__package__ or "")
    folder = here / FOLDER
    wheels = [p for p in folder.iterdir() if p.name.endswith(".whl")] if folder.is_dir() else []
    if not wheels:
        raise InstallError(
            "This copy of the add-on does not contain the backend.",
            "Build the add-on with `python build_addon.py`, and install its zip.",
        )
    locks: dict[Lock, str] = {
        name: (here / LOCKS / f"{name}.txt").read_text("utf-8") for name in LOCK_NAMES
    }
    return Payload(wheels[0], locks, wheels[0].name.split("-")[1])
