"""Photos and clips that a person names on the command line, or sends to standard input."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from backend.data_folder import TEMPORARY, unwritable
from backend.errors import BadInputError, SynergyFaceError
from backend.output.result_record import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What `input_path` makes of it. There may be a file of that name, but not this very object.
STANDARD_INPUT = Path("<standard input>")
SPELLINGS = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
NAME = str(STANDARD_INPUT)
BLOCK_BYTES = 2**20


def input_path(text: str) -> Path:
    """Return the type of arguments that name an input: a path, or `STANDARD_INPUT`."""
    return STANDARD_INPUT if text in SPELLINGS else Path(text)


@dataclass(frozen=True)
class Photo:
    """A photo to read.

    Attributes
    ----------
    path
        The file, or `STANDARD_INPUT`.
    source
        What its results are called after.
    content
        Its bytes, if they cannot be read a second time.
    """

    path: Path
    source: Source
    content: bytes | None = None

    @classmethod
    def of(cls, path: Path) -> Photo:
        """Describe a photo; what can be read only once is read now.

        Raises
        ------
        BadInputError
            Standard input is no file and no pipe, or too much comes through it.
        """
        if path is STANDARD_INPUT:
            content = _all_of(_standard_input(), NAME)
            return cls(
                path, Source("stdin", f"{NAME} {hashlib.sha256(content).hexdigest()}"), content
            )
        if path.is_fifo():
            with path.open("rb") as pipe:
                content = _all_of(pipe, str(path))
            return cls(path, Source.of(path), content)
        return cls(path, Source.of(path))

    def read(self) -> NDArray[np.uint8]:
        """Return its picture; see `vision.images.read_image`."""
        from backend.vision.images import decode_image, read_image

        if self.content is None:
            return read_image(self.path)
        return decode_image(self.content, str(self.path))


def photos_of(paths: list[Path]) -> list[Photo]:
    """Describe photos, each once: ``me.jpg`` and ``./me.jpg`` are one."""
    photos = {(photo := Photo.of(path)).source: photo for path in dict.fromkeys(paths)}
    return list(photos.values())


@contextmanager
def clip_file(path: Path, folder: Path) -> Iterator[tuple[Path, Source]]:
    """Yield a clip's file and what its results are called after.

    From standard input it goes to a file in `folder`, which is removed afterwards; errors of the
    block then speak of standard input.

    Raises
    ------
    BadInputError
        Standard input is no file and no pipe, or there is no room for it.
    """
    if path is not STANDARD_INPUT:
        yield path, Source.of(path)
        return
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=folder))
            spooled = Path(place) / "stdin"
            digest = _spool(spooled)
        except OSError as error:
            raise unwritable(folder, error) from error
        try:
            yield spooled, Source("stdin", f"{NAME} {digest}")
        except SynergyFaceError as error:
            error.args = (str(error).replace(str(spooled), NAME),)
            raise


def _spool(target: Path) -> str:
    digest = hashlib.sha256()
    stream = _standard_input()
    with target.open("xb") as file:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _standard_input() -> BinaryIO:
    if sys.stdin.isatty():
        raise BadInputError(
            "Standard input is the keyboard.", "Send a file to it: synergyface ... - < FILE"
        )
    return sys.stdin.buffer


def _all_of(stream: BinaryIO, name: str) -> bytes:
    from backend.vision.images import MAX_BYTES

    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BadInputError(
            f"{name} is larger than {MAX_BYTES // 2**20} MiB.",
            "Save the photo as JPEG or in a smaller size.",
            code="too-large",
        )
    return content
