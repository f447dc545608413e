"""What a run has left in a folder, and of which source: the proof that files are ours."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from backend.data_folder import atomic_path

# Of a source, from its beginning and its end.
SAMPLE_BYTES = 2**20

Files = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Source:
    """What results are made from.

    Attributes
    ----------
    name
        A file's, after which results are called.
    identity
        Absolute path as it was named, or a text that no other source has.
    """

    name: str
    identity: str

    @classmethod
    def of(cls, path: Path) -> Source:
        """Describe a file, a folder of pictures, or a pattern of their names."""
        whole = Path(os.path.abspath(path))  # noqa: PTH100  links are not followed
        return cls(whole.name, str(whole))

    @cached_property
    def fingerprint(self) -> str:
        """Tells whether a file in another place is the same one; empty for what is no file."""
        path = Path(self.identity)
        try:
            if not (path.is_absolute() and path.is_file()):
                return ""
            size = path.stat().st_size
            with path.open("rb") as file:
                digest = hashlib.sha256(f"{size} ".encode() + file.read(SAMPLE_BYTES))
                file.seek(max(0, size - SAMPLE_BYTES))
                digest.update(file.read(SAMPLE_BYTES))
        except (OSError, ValueError):
            return ""
        return digest.hexdigest()


@dataclass(frozen=True)
class ResultRecord:
    """Content of a record.

    Attributes
    ----------
    name, source, fingerprint
        See `Source`.
    files
        Digests by the path in the folder of results. A file is ours if it has one of them; while a
        run puts its files in place, there are two, of the old and of the new.
    more
        What else the file holds, by name.
    """

    name: str = ""
    source: str = ""
    fingerprint: str = ""
    files: Files = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source, files: Files) -> ResultRecord:
        """Record of files that were made from a source."""
        return cls(source.name, source.identity, source.fingerprint, files)

    @classmethod
    def read(cls, path: Path) -> ResultRecord | None:
        """Read a record; None if there is none, or none that can be read."""
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            files = {str(name): tuple(map(str, d)) for name, d in content.pop("files").items()}
            name, source, mark = (
                str(content.pop(part)) for part in ("name", "source", "fingerprint")
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return cls(name, source, mark, files, content)

    @property
    def text(self) -> str:
        """Content of the file, ASCII."""
        return json.dumps(
            {
                "name": self.name,
                "source": self.source,
                "fingerprint": self.fingerprint,
                "files": self.files,
                **self.more,
            }
        )

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises
        ------
        BadInputError
            It cannot be written.
        """
        with atomic_path(path) as temporary:
            temporary.write_text(self.text, encoding="utf-8")

    def is_of(self, source: Source) -> bool:
        """Tell whether it speaks of a source, which may have been moved."""
        if self.source == source.identity:
            return True
        known = self.name == source.name and self.fingerprint
        return bool(known) and known == source.fingerprint

    def vouches_for(self, home: Path, name: str) -> bool:
        """Tell whether a file in the folder of results is as a run has left it."""
        return name in self.files and digest_of(home / name) in self.files[name]


def digest_of(path: Path) -> str:
    """Return SHA-256 of a file; empty if it is none, or cannot be read."""
    try:
        if path.is_symlink():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def digests_in(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return digests of all files in a folder and its folders, by their paths in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): (digest_of(path),) for path in files}
