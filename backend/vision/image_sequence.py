"""Pictures of a folder or a pattern of names, as a clip."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.exchange.contract import kind_of
from backend.vision.clip import ClipInfo, Frame, Range
from backend.vision.framing import largest_within, letterboxed
from backend.vision.images import read_ahead, read_image

PRINTF = re.compile(r"%(?:0(\d+))?d")


def is_image_sequence(source: Path) -> bool:
    """Tell whether a clip's name means pictures: a folder or a pattern, unless a file is named
    so.
    """
    if source.is_file():
        return False
    return source.is_dir() or bool(PRINTF.search(source.name) or re.search(r"[*?]", source.name))


class ImageSequence:
    """Pictures at a constant rate.

    The numbers of a ``%04d`` pattern count: a missing picture is a missing frame. Pictures of a
    folder or of a pattern with ``*`` follow each other by name, with numbers in them in the order
    of counting.

    Parameters
    ----------
    source
        Folder or pattern.
    frame_rate
        Pictures a second.

    Raises
    ------
    BadInputError
        There are no pictures, or no usable frame rate.
    """

    def __init__(self, source: Path, frame_rate: float | None) -> None:
        if frame_rate is None or not 0 < frame_rate < 1e4:
            given = "no frame rate was given" if frame_rate is None else f"not {frame_rate:g}"
            raise BadInputError(
                f"{source} is an image sequence: it needs its frames per second, and {given}.",
                "Give a rate like 25 or 29.97.",
            )
        self._pictures = numbered_pictures(source)
        self.skipped = 0
        first = self._first_image()
        height, width = first.shape[:2]
        self.info = ClipInfo(width, height, frame_rate, str(source))
        self.duration = (self._pictures[-1][0] + 1) / frame_rate

    def frames(self, part: Range) -> Generator[Frame]:
        """See `Clip.frames`."""
        self.skipped = 0
        times = [(number, number / self.info.frame_rate, path) for number, path in self._pictures]
        wanted = [each for each in times if part.start <= each[1] <= part.end]
        with closing(read_ahead(path for *_, path in wanted)) as images:
            for (number, time, _), image in zip(wanted, images, strict=True):
                if isinstance(image, BadInputError):
                    self.skipped += 1
                else:
                    yield Frame(number, time, self._fitted(image))

    def _first_image(self) -> NDArray[np.uint8]:
        problem: BadInputError | None = None
        for _, path in self._pictures:
            try:
                return read_image(path)
            except BadInputError as error:
                problem = error
        raise problem or AssertionError("an image sequence has pictures")

    def _fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return all pictures in the size of the first; those of another shape in the middle of
        black.
        """
        room = self.info.decoded_size
        size = largest_within((image.shape[1], image.shape[0]), room)
        if size != image.shape[1::-1]:
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        return letterboxed(image, room)


def numbered_pictures(source: Path) -> list[tuple[int, Path]]:
    """Return numbers from 0 and files of a folder or pattern.

    Raises
    ------
    BadInputError
        There are none.
    """
    if source.is_dir():
        found = _counted(p for p in source.iterdir() if kind_of(p.name) == "photo")
    elif PRINTF.search(source.name):
        found = _numbered(source)
    else:
        found = _counted(source.parent.glob(source.name))
    if not found:
        raise BadInputError(
            f"There are no pictures {source}.",
            "Name a folder of pictures, or a pattern like shot_%04d.png or shot_*.png.",
            code="missing-file",
        )
    return found


def _counted(paths: Iterator[Path]) -> list[tuple[int, Path]]:
    return list(enumerate(sorted((p for p in paths if p.is_file()), key=_natural)))


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort shot_9 before shot_10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _numbered(pattern: Path) -> list[tuple[int, Path]]:
    before, digits, after = _split(pattern)
    name = re.compile(f"{re.escape(before)}(\\d{{{digits},}}){re.escape(after)}")
    if not pattern.parent.is_dir():
        return []
    matches = ((name.fullmatch(p.name), p) for p in pattern.parent.iterdir() if p.is_file())
    numbered = sorted((int(m[1]), path) for m, path in matches if m)
    return [(number - numbered[0][0], path) for number, path in numbered]


def _split(pattern: Path) -> tuple[str, int, str]:
    found = PRINTF.search(pattern.name)
    assert found is not None
    return pattern.name[: found.start()], int(found[1] or 1), pattern.name[found.end() :]
