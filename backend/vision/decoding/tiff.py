"""Directories of TIFF files, as far as camera raw files need them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

MAX_DIRECTORIES, MAX_ENTRIES, MAX_VALUES = 64, 512, 65536

COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, ORIENTATION = 259, 262, 273, 274
WIDTH, HEIGHT, BITS, SAMPLES, STRIP_LENGTHS, PLANES = 256, 257, 258, 277, 279, 284
TILE_OFFSETS, SUB_DIRECTORIES, DNG_VERSION = 324, 330, 50706
UNCOMPRESSED, RGB, COLOR_FILTERS, LINEAR_RAW = 1, 2, 32803, 34892

Bytes = bytes | bytearray | memoryview

_TYPES = {1: "B", 3: "H", 4: "I", 7: "B", 9: "i", 13: "I"}


@dataclass(frozen=True)
class Directory:
    """Tags of one picture: their whole numbers; others are left out."""

    tags: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def first(self, tag: int, default: int = 0) -> int:
        """Return a tag's first value."""
        return self.tags.get(tag, (default,))[0]


def directories(data: Bytes) -> list[Directory]:
    """Return the directories of a file, and those inside of them; none if it is no TIFF file.

    Olympus' and Panasonic's raw files count: they only have another number in the header.
    """
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        return []
    waiting = [struct.unpack_from(order + "I", data, 4)[0]]
    seen: set[int] = set()
    found: list[Directory] = []
    while waiting and len(found) < MAX_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen or at == 0:
            continue
        seen.add(at)
        try:
            directory, following = _directory(data, at, order)
        except struct.error:
            continue
        found.append(directory)
        waiting += [following, *directory.tags.get(SUB_DIRECTORIES, ())]
    return found


def _directory(data: Bytes, at: int, order: str) -> tuple[Directory, int]:
    (count,) = struct.unpack_from(order + "H", data, at)
    tags = {}
    for entry in range(min(count, MAX_ENTRIES)):
        place = at + 2 + 12 * entry
        tag, kind, length = struct.unpack_from(order + "HHI", data, place)
        form = _TYPES.get(kind)
        if form is None or not 0 < length <= MAX_VALUES:
            continue
        form = f"{order}{length}{form}"
        if struct.calcsize(form) > 4:
            (start,) = struct.unpack_from(order + "I", data, place + 8)
        else:
            start = place + 8
        try:
            tags[tag] = struct.unpack_from(form, data, start)
        except struct.error:
            continue
    try:
        (following,) = struct.unpack_from(order + "I", data, at + 2 + 12 * count)
    except struct.error:
        following = 0
    return Directory(tags), following
