"""What there is to do in a folder, and what has been done of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from backend.errors import BadInputError
from backend.exchange.contract import (
    DEFAULT_TEXTURE_MODE,
    FILM_SUFFIXES,
    PHOTO_SUFFIXES,
    TextureMode,
    kind_of,
)
from backend.output.overwriting import same_file
from backend.output.result_folder import BATCH_RECORD, ResultFolder
from backend.output.result_places import result_folders
from backend.output.result_record import ResultRecord, Source
from backend.version import VERSION

if TYPE_CHECKING:
    from backend.engines.devices import Device

TABLE = "results.csv"

Kind = Literal["photo", "clip", "other"]


@dataclass(frozen=True)
class BatchOptions:
    """What is made of every item.

    Attributes
    ----------
    which
        All faces, or the largest only.
    texture_size
        Side of the textures in pixels.
    texture_mode
        What fills the parts that no picture shows.
    preview
        Whether to draw a preview as well.
    device
        Where the networks run.
    weights
        Names the weights that they use.
    """

    which: Literal["all", "largest"] = "all"
    texture_size: int = 1024
    texture_mode: TextureMode = DEFAULT_TEXTURE_MODE
    preview: bool = False
    device: Device = "auto"
    weights: str = ""


@dataclass(frozen=True)
class Item:
    """One file.

    Attributes
    ----------
    source
        Absolute path.
    kind
        What it is, by its suffix.
    directory
        Absolute path of the folder of its results, which no other item has.
    """

    source: Path
    kind: Kind
    directory: Path

    @property
    def folder(self) -> ResultFolder:
        """The folder of its results, by its place and its source."""
        return ResultFolder.own(self.directory, Source.of(self.source))

    def key(self, options: BatchOptions) -> str:
        """Changes whenever the results would: with file, options, weights and version."""
        stat = self.source.stat()
        facts = [str(self.source), stat.st_size, stat.st_mtime_ns, asdict(options), VERSION]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Outcome:
    """What became of an item.

    Attributes
    ----------
    item
        Which.
    state
        ``done``; ``kept``: an earlier run has done it; ``failed``; or ``skipped``: it is nothing
        that a batch does.
    faces
        How many were written.
    seconds
        How long it took.
    problem
        Why it was not done, and what to do about it; or else what is to be said of its results.
    bad_input
        Whether it failed because of the item itself.
    """

    item: Item
    state: Literal["done", "kept", "failed", "skipped"]
    faces: int = 0
    seconds: float = 0.0
    problem: str = ""
    bad_input: bool = False


Work = Callable[[Item], Outcome]


def find_items(folder: Path, output: Path) -> list[Item]:
    """List the photos and clips of a folder, by name; folders in it are not looked into.

    Each has a folder of its own in `output`: that of its earlier results, or a free one, called
    after the file. Two files that differ in their suffix only keep it in the names of these.

    Raises
    ------
    BadInputError
        There is no such folder, or nothing in it, or it is `output`.
    """
    sources = [path for path in _entries(folder) if not _why_skipped(path)]
    if not sources:
        raise BadInputError(
            f"There are no photos or clips in {folder}, apart from its folders.",
            f"Photos and clips end in {', '.join(sorted(PHOTO_SUFFIXES + FILM_SUFFIXES))}.",
        )
    if same_file(folder, output):
        raise BadInputError(
            f"{output} is the folder of the photos and clips, so it cannot take the results.",
            "Name another folder for the results, for example one inside it.",
            code="overwrites-input",
        )
    home = _absolute(output)
    folders = result_folders(home, [Source.of(path) for path in sources], [TABLE])
    return [
        Item(path, "photo" if kind_of(path.name) == "photo" else "clip", folder.home)
        for path, folder in zip(sources, folders, strict=True)
    ]


def find_others(folder: Path, output: Path) -> list[Outcome]:
    """Everything else in a folder that is no folder, and why it is not done."""
    reasons = ((path, _why_skipped(path)) for path in _entries(folder))
    return [
        Outcome(Item(path, "other", _absolute(output)), "skipped", problem=reason)
        for path, reason in reasons
        if reason
    ]


def record_done(outcome: Outcome, options: BatchOptions) -> None:
    """Note beside an item's results that they are whole, and of what they are made.

    Raises
    ------
    BadInputError
        The folder cannot be written to.
    """
    item = outcome.item
    item.folder.seal(key=item.key(options), faces=outcome.faces, seconds=outcome.seconds)


def earlier_outcome(item: Item, options: BatchOptions) -> Outcome | None:
    """What an earlier run with the same options has done of this very file; None if nothing."""
    record = ResultRecord.read(item.directory / BATCH_RECORD)
    try:
        if record is None or record.more["key"] != item.key(options):
            return None
        return Outcome(item, "kept", int(record.more["faces"]), float(record.more["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _entries(folder: Path) -> Sequence[Path]:
    """What is in a folder and is no folder, by name."""
    if not folder.is_dir():
        raise BadInputError(f"There is no folder {folder}.", "Name a folder of photos or clips.")
    try:
        return sorted(path for path in _absolute(folder).iterdir() if not path.is_dir())
    except OSError as error:
        raise BadInputError(
            f"Cannot read {folder}: {error.strerror or error}.",
            "Check its permissions.",
            code="unreadable",
        ) from error


def _why_skipped(path: Path) -> str:
    """Why a file is nothing for a batch; empty if it is a photo or clip."""
    if kind_of(path.name) is None:
        return "By the ending of its name, it is neither a photo nor a clip."
    if not path.exists():
        return "It is a broken link."
    return "" if path.is_file() else "It is not a regular file."


def _absolute(path: Path) -> Path:
    return Path(os.path.realpath(path))
