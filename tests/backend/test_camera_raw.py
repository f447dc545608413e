"""Camera raw files give the picture that the camera made of them, or the reason why not."""

from __future__ import annotations

import io
import struct
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadInputError
from tests.backend.in_process import decoded

Tags = dict[int, tuple[int, ...]]
MOSAIC, JPEG, LOSSLESS = 32803, 7, 34892


def picture(width: int, height: int) -> Image.Image:
    """Without symmetry."""
    y, x = np.mgrid[0 : 200 : height * 1j, 0 : 200 : width * 1j]
    return Image.fromarray(np.stack([x, y, 200 - x], axis=2).astype(np.uint8))


def jpeg(width: int, height: int, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture(width, height).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def tiff(first: tuple[Tags, bytes], *inner: tuple[Tags, bytes], order: str = "<") -> bytes:
    """A TIFF file of one directory with others inside of it, each with the strip of its data."""
    data = b"".join(content for _, content in (first, *inner))
    at = 8 + len(data)
    strips = [8]
    for _, content in (first, *inner):
        strips.append(strips[-1] + len(content))
    directories = b""
    offsets: list[int] = []
    for number, (tags, content) in reversed(list(enumerate([first, *inner]))):
        tags = tags | {273: (strips[number],), 279: (len(content),)}
        if number == 0 and inner:
            tags |= {330: tuple(offsets)}
        place = at + len(directories)
        offsets.append(place)
        directories += directory(tags, place, order)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", offsets[-1]) + data + directories


def directory(tags: Tags, at: int, order: str) -> bytes:
    entries, more = b"", b""
    end = at + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            cell, more = struct.pack(order + "I", end + len(more)), more + packed
        else:
            cell = packed
        entries += struct.pack(order + "HHI", tag, 4, len(values)) + cell
    count = struct.pack(order + "H", len(tags))
    return count + entries + struct.pack(order + "I", 0) + more


def thumbnail(width: int, height: int, orientation: int = 1) -> tuple[Tags, bytes]:
    """Plain RGB, as DNG recommends for the first directory."""
    tags = {
        254: (1,), 256: (width,), 257: (height,), 258: (8, 8, 8), 259: (1,), 262: (2,),
        274: (orientation,), 277: (3,), 50706: (1,),
    }  # fmt: skip
    return tags, picture(width, height).tobytes()


def mosaic(width: int = 3000, height: int = 20) -> tuple[Tags, bytes]:
    tags: Tags = {256: (width,), 257: (height,), 258: (16,), 259: (1,), 262: (MOSAIC,), 277: (1,)}
    return tags, bytes(width * height * 2)


def compressed(data: bytes, photometric: int = 6) -> tuple[Tags, bytes]:
    return {259: (JPEG,), 262: (photometric,)}, data


def size(data: bytes) -> tuple[int, int]:
    return decoded(data, "me.nef").shape[1::-1]


def is_picture(data: bytes, *, turned: int = 0) -> bool:
    image = decoded(data)
    upright = np.rot90(image, -turned)
    expected = np.asarray(picture(*upright.shape[1::-1]))
    return bool(np.abs(upright.astype(int) - expected).mean() < 3)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_largest_preview_is_taken(order: str) -> None:
    """Not the first, and nothing of the raw data."""
    small, middle, large = jpeg(160, 120), jpeg(640, 480), jpeg(1200, 800)
    others = [compressed(middle), compressed(large), mosaic()]
    data = tiff(thumbnail(40, 30), *others, compressed(small), order=order)
    assert size(data) == (1200, 800)
    assert is_picture(data)


@pytest.mark.parametrize(("width", "height"), [(1200, 900), (700, 1000)])
def test_a_preview_of_plain_pixels(width: int, height: int) -> None:
    data = tiff(thumbnail(width, height), mosaic(), compressed(jpeg(300, 200)))
    assert size(data) == (width, height)
    assert is_picture(data)


def test_previews_are_turned_like_the_whole() -> None:
    data = tiff(thumbnail(40, 30, orientation=8), compressed(jpeg(1200, 800)), mosaic())
    assert size(data) == (800, 1200)
    assert is_picture(data, turned=1)


def test_a_preview_that_says_its_own_turn() -> None:
    exif = Image.Exif()
    exif[274] = 1
    own = compressed(jpeg(1200, 800, exif=exif))
    assert size(tiff(thumbnail(40, 30, orientation=8), own, mosaic())) == (1200, 800)


REFUSED = {
    "small preview": tiff(thumbnail(192, 144), mosaic()),
    "no preview": tiff(mosaic()),
    "preview cut off": tiff(thumbnail(4, 3), mosaic(), compressed(jpeg(1200, 800)[:3000])),
    "lossless raw": tiff(
        thumbnail(4, 3), mosaic(), compressed(jpeg(1200, 800).replace(b"\xff\xc0", b"\xff\xc3"))
    ),
    "tiles of a lossy DNG": tiff(thumbnail(4, 3), compressed(jpeg(1200, 800), LOSSLESS)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_without_a_preview_it_is_refused(what: str) -> None:
    with pytest.raises(BadInputError) as caught:
        decoded(REFUSED[what], "me.nef")
    assert caught.value.code in ("raw-without-preview", "damaged-image")
    assert "me.nef" in caught.value.problem and caught.value.remedy


def test_the_refusal_says_how_large_it_is() -> None:
    says = r"camera raw file \(DNG\) with a preview of only 192x144"
    with pytest.raises(BadInputError, match=says):
        decoded(REFUSED["small preview"], "me.dng")


@pytest.mark.parametrize(
    "header",
    [
        b"FUJIFILMCCD-RAW 0201".ljust(100, b"\0"),
        b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom",
        b"IIU\0\x08\0\0\0" + bytes(92),
        b"II*\0\x10\0\0\0CR\x02\0" + bytes(88),
    ],
    ids=["RAF", "CR3", "RW2", "CR2"],
)
def test_other_makers_files(header: bytes) -> None:
    assert size(header + jpeg(160, 120) + bytes(99) + jpeg(1600, 1200) + bytes(999)) == (1600, 1200)


def test_cr3_is_turned_by_its_own_directory() -> None:
    header = b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom"
    inner = tiff(({274: (6,)}, b""))
    assert size(header + inner + jpeg(1600, 1200)) == (1200, 1600)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("at", [0, 4, 8, 20, 30])
def test_directories_that_lead_nowhere(at: int) -> None:
    """Circles, ends of the file, and counts that lie."""
    whole = tiff(thumbnail(40, 30), mosaic(100, 10))
    start = struct.unpack_from("<I", whole, 4)[0]
    for value in (0, start, 2**32 - 1, len(whole) - 1):
        data = bytearray(whole)
        struct.pack_into("<I", data, start + at, value)
        with suppress(BadInputError):
            decoded(bytes(data))


def test_a_plain_tiff_is_none() -> None:
    buffer = io.BytesIO()
    picture(40, 30).save(buffer, "TIFF")
    assert size(buffer.getvalue()) == (40, 30)
