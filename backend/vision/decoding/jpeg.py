"""JPEG files by their markers: sizes without decoding, and files that lack their last bytes."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bytes = bytes | bytearray

END = b"\xff\xd9"
START_OF_SCAN = 0xDA
# Sequential and progressive Huffman coding; lossless ones are in camera raw files.
_SEQUENTIAL, _PROGRESSIVE = frozenset({0xC0, 0xC1}), frozenset({0xC2})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Between scans: any marker but those that scans have inside.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
MAX_SEGMENTS = 10_000
# Rows that may be missing at the end of a picture: viewers show them grey.
MISSING_ROWS = 1 / 16
# What libjpeg fills them with.
FILLING = 128


def frame_size(data: Bytes, start: int = 0) -> tuple[int, int] | None:
    """Return the width and height of the JPEG file that begins at `start`; None if it is none to
    show.
    """
    for marker, at in _segments(data, start):
        if marker in _FRAMES:
            if marker not in _SEQUENTIAL | _PROGRESSIVE or at + 7 > len(data):
                return None
            _, height, width, channels = struct.unpack_from(">BHHB", data, at + 2)
            return (width, height) if channels in (1, 3) and width and height else None
        if marker == START_OF_SCAN:
            return None
    return None


def is_nearly_whole(data: Bytes, pixels: NDArray[np.uint8]) -> bool:
    """Tell whether what a file lacks at its end can be done without.

    Parameters
    ----------
    data
        The file, which ends too early.
    pixels
        (H, W, 3) RGB or (H, W) grey as libjpeg makes it when `END` is put behind the file.
    """
    scans = [(marker, at) for marker, at in _segments(data, 0) if marker in (0xC2, START_OF_SCAN)]
    if scans and scans[0][0] in _PROGRESSIVE:
        return _all_coefficients_begun(data, [at for _, at in scans[1:]])
    grey = (pixels == FILLING).reshape(len(pixels), -1).all(axis=1)
    missing = len(grey) if grey.all() else int(np.argmin(grey[::-1]))
    return missing <= MISSING_ROWS * len(grey)


def _all_coefficients_begun(data: Bytes, scans: list[int]) -> bool:
    """Tell whether the last scan had begun: the one after which every bit of every one is known."""
    missing: dict[int, NDArray[np.bool_]] = {}
    for at in scans:
        count = data[at + 2] if at + 2 < len(data) else 0
        header = data[at + 3 : at + 6 + 2 * count]
        if len(header) < 3 + 2 * count:
            continue
        first, last, bits = header[2 * count :]
        for component in header[: 2 * count : 2]:
            left = missing.setdefault(component, np.ones(64, bool))
            left[first : last + 1] = bool(bits & 15)
    return bool(missing) and not any(left.any() for left in missing.values())


def _segments(data: Bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield markers with a length, and where the length stands."""
    at = start + 2
    for _ in range(MAX_SEGMENTS):
        found = _NEXT_MARKER.search(data, at)
        if found is None or found.end() + 2 > len(data) or found.group() == END:
            return
        marker, at = found.group()[1], found.end()
        yield marker, at
        at += max(int.from_bytes(data[at : at + 2], "big"), 2)
