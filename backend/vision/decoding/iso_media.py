"""What ISO media files (AVIF, HEIC, Canon's CR3) say of the picture that they show first."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from backend.vision.hdr import Coding

HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
CR3_BRAND = b"crx "
# Boxes that hold others, and how many bytes of their own come first.
_HOLDERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}
MAX_BOXES = 4096

Bytes = bytes | bytearray | memoryview
Box = tuple[bytes, memoryview]


def brands(data: Bytes) -> frozenset[bytes]:
    """Return what a file calls itself; nothing if it is no ISO media file."""
    if data[4:8] != b"ftyp":
        return frozenset()
    end = min(max(int.from_bytes(data[:4], "big"), 16), 256)
    return frozenset(bytes(data[at : at + 4]) for at in (8, *range(16, end, 4)))


def is_avif(data: Bytes) -> bool:
    """Tell whether it is AVIF, which shares container and some brands with HEIC."""
    return bool(brands(data) & AVIF_BRANDS)


def is_heif(data: Bytes) -> bool:
    """Tell whether it is HEIC, or another kind of HEIF that is not AVIF."""
    return bool(brands(data) & HEIF_BRANDS) and not is_avif(data)


def primary_coding(data: Bytes) -> Coding | None:
    """Return what the colours of the primary picture mean; None if the file does not say it in
    numbers.
    """
    for kind, content in _primary_properties(data):
        if kind == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
            return Coding(*struct.unpack(">HH", content[4:8]))
    return None


def primary_depth(data: Bytes) -> int:
    """Return bits per channel of the primary picture; 8 if the file does not say."""
    for kind, content in _primary_properties(data):
        if kind == b"pixi" and len(content) >= 6:
            return content[5]
        if kind == b"av1C" and len(content) >= 3:
            return 8 + 2 * (content[2] >> 6 & 1) + 2 * (content[2] >> 5 & 1)
    return 8


def _primary_properties(data: Bytes) -> Iterator[Box]:
    """Yield properties that are associated with the primary item; nothing of what is damaged."""
    try:
        meta = _inside(memoryview(data), b"meta")
        primary = _item_id(dict(_boxes(meta))[b"pitm"], 4)
        iprp = _inside(meta, b"iprp")
        properties = list(_boxes(_inside(iprp, b"ipco")))
        numbers = _associations(dict(_boxes(iprp))[b"ipma"])[primary]
        yield from (properties[number - 1] for number in numbers if 0 < number <= len(properties))
    except (KeyError, IndexError, struct.error):
        return


def _inside(data: memoryview, kind: bytes) -> memoryview:
    return dict(_boxes(data))[kind][_HOLDERS[kind] :]


def _boxes(data: memoryview) -> Iterator[Box]:
    at = 0
    for _ in range(MAX_BOXES):
        if at + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            header = 16
        end = len(data) if size == 0 else at + size
        if end < at + header:
            return
        yield kind, data[at + header : end]
        at = end


def _item_id(full_box: memoryview, at: int) -> int:
    """Return 16 bits in version 0 of a box, 32 later."""
    return struct.unpack_from(">H" if full_box[0] == 0 else ">I", full_box, at)[0]


def _associations(ipma: memoryview) -> dict[int, list[int]]:
    """Return numbers of the properties of each item, from 1."""
    wide = ipma[3] & 1
    (count,) = struct.unpack_from(">I", ipma, 4)
    at, found = 8, {}
    for _ in range(min(count, MAX_BOXES)):
        item = _item_id(ipma, at)
        at += 2 if ipma[0] == 0 else 4
        length = ipma[at]
        at += 1
        numbers = struct.unpack_from(f">{length}{'H' if wide else 'B'}", ipma, at)
        at += length * (2 if wide else 1)
        # The highest bit says that the property is essential.
        found[item] = [number & (0x7FFF if wide else 0x7F) for number in numbers]
    return found
