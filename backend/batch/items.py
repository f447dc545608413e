"""What there is to do in a folder, and what has been done of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from backend.contract import DEFAULT_TEXTURE_MODE, TextureMode
from backend.data_folder import atomic_path
from backend.errors import BadInputError
from backend.version import VERSION

if TYPE_CHECKING:
    from backend.engines import Device

PHOTO_SUFFIXES = frozenset(
    ".jpg .jpeg .png .webp .tif .tiff .bmp .gif .ppm .jp2 .avif".split()  # noqa: SIM905
)
CLIP_SUFFIXES = frozenset(
    ".mp4 .mov .m4v .mkv .webm .avi .mpg .mpeg .mts .m2ts .wmv .3gp".split()  # noqa: SIM905
)
# Written last into the folder of an item's results: where it is, they are whole.
RECORD = "batch.json"

Kind = Literal["photo", "clip"]


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
    """One photo or clip.

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
        ``done``; ``kept``: an earlier run has done it; or ``failed``.
    faces
        How many were written.
    seconds
        How long it took.
    problem
        Why it failed, and what to do about it.
    bad_input
        Whether it failed because of the item itself.
    """

    item: Item
    state: Literal["done", "kept", "failed"]
    faces: int = 0
    seconds: float = 0.0
    problem: str = ""
    bad_input: bool = False


Work = Callable[[Item], Outcome]


def find_items(folder: Path, output: Path) -> list[Item]:
    """Photos and clips of a folder, by name; folders in it are not looked into.

    Two files that differ in their suffix only keep it in the names of their results.

    Raises
    ------
    BadInputError
        There is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise BadInputError(f"There is no folder {folder}.", "Name a folder of photos or clips.")
    sources = sorted(path for path in folder.resolve().iterdir() if _kind(path) and path.is_file())
    if not sources:
        raise BadInputError(
            f"There are no photos or clips in {folder}.",
            f"Files that count end in {', '.join(sorted(PHOTO_SUFFIXES | CLIP_SUFFIXES))}.",
        )
    return list(_named(sources, output.resolve()))


def record_done(outcome: Outcome, options: BatchOptions) -> None:
    """Note beside an item's results that they are whole, and of what they are made.

    Raises
    ------
    BadInputError
        The folder cannot be written to.
    """
    record = {"key": outcome.item.key(options), "faces": outcome.faces, "seconds": outcome.seconds}
    with atomic_path(outcome.item.directory / RECORD) as path:
        path.write_text(json.dumps(record), encoding="utf-8")


def earlier_outcome(item: Item, options: BatchOptions) -> Outcome | None:
    """What an earlier run with the same options has done of this very file; None if nothing."""
    try:
        record: dict[str, Any] = json.loads((item.directory / RECORD).read_text(encoding="utf-8"))
        if record["key"] != item.key(options):
            return None
        return Outcome(item, "kept", int(record["faces"]), float(record["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _kind(path: Path) -> Kind | None:
    suffix = path.suffix.lower()
    return "photo" if suffix in PHOTO_SUFFIXES else "clip" if suffix in CLIP_SUFFIXES else None


def _named(sources: list[Path], output: Path) -> Iterator[Item]:
    # Without case, for file systems that do not tell it.
    shared = Counter(path.stem.casefold() for path in sources)
    for path in sources:
        name = path.stem if shared[path.stem.casefold()] == 1 else path.name
        kind = _kind(path)
        assert kind
        yield Item(path, kind, output / name)
