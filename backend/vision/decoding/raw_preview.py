"""Camera raw files: the picture that the camera itself has made of them, if it is large enough."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backend.errors import BadInputError
from backend.vision.decoding import iso_media, jpeg, tiff

# A preview's longer side: a face in a smaller one has too few pixels.
MIN_PREVIEW = 1000
MAX_CANDIDATES = 1000

# How files begin that are camera raw and nothing else.
_MAGIC = {
    b"FUJIFILMCCD-RAW": "RAF",
    b"IIRO": "ORF",
    b"IIRS": "ORF",
    b"MMOR": "ORF",
    b"IIU\0": "RW2",
    b"FOVb": "X3F",
    b"\0MRM": "MRW",
}
Bytes = bytes | bytearray

_JPEG = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]")
_TIFF = re.compile(rb"II\*\0|MM\0\*")


@dataclass(frozen=True)
class Preview:
    """A picture inside of a raw file.

    Attributes
    ----------
    size
        Width and height.
    data
        A file of its own: JPEG or PPM.
    orientation
        As EXIF counts it; for pictures that say none themselves.
    """

    size: tuple[int, int]
    data: bytes | memoryview
    orientation: int


def raw_kind(data: Bytes) -> str:
    """Name of the kind of camera raw file; empty if it is none."""
    if iso_media.brands(data[:256]) >= {iso_media.CR3_BRAND}:
        return "CR3"
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if not _TIFF.match(data):
        return ""
    if data[8:10] == b"CR":
        return "CR2"
    found = tiff.directories(data)
    if any(tiff.DNG_VERSION in each.tags for each in found):
        return "DNG"
    return "camera raw" if any(map(_is_mosaic, found)) else ""


def previews(data: Bytes, name: str, kind: str) -> list[Preview]:
    """Return pictures of a raw file that are large enough, largest first.

    Raises
    ------
    BadInputError
        There is none.
    """
    found = sorted(_candidates(data), key=lambda each: -each.size[0] * each.size[1])
    enough = [preview for preview in found if max(preview.size) >= MIN_PREVIEW]
    if enough:
        return enough
    best = "no preview" if not found else "a preview of only {}x{} pixels".format(*found[0].size)
    raise BadInputError(
        f"{name} is a camera raw file ({kind}) with {best}; one of {MIN_PREVIEW} is needed.",
        "Develop it: save it as JPEG, TIFF or PNG with the camera maker's program or another one.",
        code="raw-without-preview",
    )


def _candidates(data: Bytes) -> Iterator[Preview]:
    found = tiff.directories(data)
    orientation = _orientation(data, found)
    mosaics = {
        offset
        for each in filter(_is_mosaic, found)
        for tag in (tiff.STRIP_OFFSETS, tiff.TILE_OFFSETS)
        for offset in each.tags.get(tag, ())
    }
    for number, start in enumerate(match.start() for match in _JPEG.finditer(data)):
        if number >= MAX_CANDIDATES:
            break
        size = None if start in mosaics else jpeg.frame_size(data, start)
        if size:
            yield Preview(size, memoryview(data)[start:], orientation)
    for each in found:
        preview = _uncompressed(data, each, orientation)
        if preview:
            yield preview


def _is_mosaic(directory: tiff.Directory) -> bool:
    return directory.first(tiff.PHOTOMETRIC) in (tiff.COLOR_FILTERS, tiff.LINEAR_RAW)


def _orientation(data: Bytes, found: list[tiff.Directory]) -> int:
    """Find the whole file's orientation; CR3 has it in a TIFF header of its own."""
    if not found and (header := _TIFF.search(data)):
        found = tiff.directories(data[header.start() :])
    return found[0].first(tiff.ORIENTATION, 1) if found else 1


def _uncompressed(data: Bytes, page: tiff.Directory, orientation: int) -> Preview | None:
    """Return a page of plain RGB bytes."""
    width, height = page.first(tiff.WIDTH), page.first(tiff.HEIGHT)
    plain = (
        page.first(tiff.COMPRESSION) == tiff.UNCOMPRESSED
        and page.first(tiff.PHOTOMETRIC) == tiff.RGB
        and page.tags.get(tiff.BITS) == (8, 8, 8)
        and page.first(tiff.PLANES, 1) == 1
    )
    offsets, lengths = (page.tags.get(tag, ()) for tag in (tiff.STRIP_OFFSETS, tiff.STRIP_LENGTHS))
    if not plain or len(offsets) != len(lengths):
        return None
    pixels = b"".join(data[at : at + length] for at, length in zip(offsets, lengths, strict=True))
    if not width or not height or len(pixels) < width * height * 3:
        return None
    header = f"P6 {width} {height} 255\n".encode()
    return Preview((width, height), header + pixels[: width * height * 3], orientation)
