"""Photographs of every kind become upright RGB bytes; everything else a clear error."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.errors import BadInputError, CancelledError
from backend.sandbox.children import stopped_by
from backend.vision.images import AHEAD, BACKGROUND, decode_image, read_ahead, read_image
from tests.backend.photo_bombs import progressive_jpeg


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def smooth_rgb(height: int = 24, width: int = 40) -> NDArray[np.uint8]:
    """Without symmetry, and gentle enough for lossy formats."""
    y, x = np.mgrid[:height, :width]
    return np.stack([40 + 4 * x, 200 - 5 * y, 60 + 2 * x + 2 * y], axis=2).astype(np.uint8)


def noise() -> Image.Image:
    return Image.effect_noise((90, 90), 50)


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and ends in the middle of its pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(3000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels


BAD_FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty-file"),
    "text": (lambda: b"This is not a photo. " * 20, "not-an-image"),
    "heic": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500), "unsupported-heic"),
    "heif-mif1": (lambda: b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(500), "unsupported-heic"),
    "bomb": (lambda: png_header(30_000, 30_000), "too-many-pixels"),
    "above-limit": (lambda: png_header(12_000, 9_000), "too-many-pixels"),
    "one-pixel": (lambda: encoded(Image.new("RGB", (1, 1)), "PNG"), "too-small"),
    "a-line": (lambda: encoded(Image.new("RGB", (500, 4)), "PNG"), "too-small"),
    "truncated.png": (lambda: encoded(noise(), "PNG")[:2500], "damaged-image"),
    "truncated.jpg": (lambda: encoded(noise(), "JPEG")[:2500], "damaged-image"),
    "truncated.webp": (lambda: encoded(noise(), "WEBP")[:1000], ""),
    "truncated.tif": (lambda: encoded(noise(), "TIFF")[:2500], ""),
    "float.tif": (lambda: encoded(Image.new("F", (32, 32)), "TIFF"), "unsupported-depth"),
}  # fmt: skip


# Pytest sets its own warning filters; `test_nothing_reaches_stderr` looks at the module's.
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_named_with_a_remedy(name: str, tmp_path: Path) -> None:
    make, code = BAD_FILES[name]
    path = tmp_path / name
    path.write_bytes(make())
    with pytest.raises(BadInputError) as caught:
        read_image(path)
    assert str(path) in caught.value.problem
    assert caught.value.remedy
    assert not code or caught.value.code == code


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no file") as missing:
        read_image(tmp_path / "photo.jpg")
    with pytest.raises(BadInputError, match="is a folder") as folder:
        read_image(tmp_path)
    assert (missing.value.code, folder.value.code) == ("missing-file", "is-folder")


def test_nothing_reaches_stderr(tmp_path: Path) -> None:
    """Pillow's own warnings (size, broken metadata) are not for the person at the terminal."""
    (tmp_path / "large.png").write_bytes(png_header(12_000, 9_000))
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff" * 8
    broken = encoded(Image.fromarray(smooth_rgb()), "JPEG", exif=exif)
    (tmp_path / "broken.jpg").write_bytes(broken)
    script = (
        "import sys; from pathlib import Path; from backend.vision.images import read_image\n"
        "from backend.errors import BadInputError\n"
        "print(read_image(Path('broken.jpg')).shape)\n"
        "try: read_image(Path('large.png'))\n"
        "except BadInputError as error: print(error.code)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{script}"],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split("\n")[:2] == ["(24, 40, 3)", "too-many-pixels"]
    assert done.stderr == ""


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG", "WEBP", "MPO"])
def test_formats(kind: str) -> None:
    rgb = smooth_rgb()
    image = decode_image(encoded(Image.fromarray(rgb), kind))
    assert image.dtype == np.uint8
    assert image.shape == rgb.shape
    lossless = kind in ("PNG", "BMP", "TIFF")
    assert np.abs(image.astype(int) - rgb).mean() <= (0 if lossless else 3)


# EXIF 2.32, tag 274: what the viewer must do to the stored pixels.
ORIENTATIONS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation(orientation: int) -> None:
    stored = smooth_rgb()
    exif = Image.Exif()
    exif[274] = orientation
    image = decode_image(encoded(Image.fromarray(stored), "PNG", exif=exif))
    np.testing.assert_array_equal(image, ORIENTATIONS[orientation](stored))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_not_clipped(suffix: str, channels: int) -> None:
    deep = np.linspace(0, 65535, 64 * 64 * channels).reshape(64, 64, channels).astype(np.uint16)
    done, buffer = cv2.imencode(suffix, deep[..., ::-1])
    assert done
    image = decode_image(buffer.tobytes())
    assert np.abs(image - deep / 257.0).max() <= 1
    assert image.min() == 0
    assert image.max() == 255


def test_grey_and_one_bit_fill_three_channels() -> None:
    grey = smooth_rgb()[..., 0]
    image = decode_image(encoded(Image.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(image, np.repeat(grey[..., None], 3, axis=2))
    bits = decode_image(encoded(Image.fromarray(grey > 100), "PNG"))
    np.testing.assert_array_equal(bits[..., 1], np.where(grey > 100, 255, 0))


def test_cmyk() -> None:
    inks = {(0, 255, 255, 0): (255, 0, 0), (0, 0, 0, 255): (0, 0, 0), (0, 0, 0, 0): (255, 255, 255)}
    for ink, colour in inks.items():
        for kind, tolerance in (("TIFF", 0), ("JPEG", 3)):
            image = decode_image(encoded(Image.new("CMYK", (32, 32), ink), kind))
            assert np.abs(image.astype(int) - colour).max() <= tolerance


def test_transparency_shows_the_background() -> None:
    picture = Image.new("RGBA", (32, 32), (200, 0, 100, 255))
    picture.paste((0, 255, 0, 0), (0, 0, 16, 32))
    picture.paste((200, 0, 100, 128), (16, 16, 32, 32))
    image = decode_image(encoded(picture, "PNG"))
    assert tuple(image[8, 8]) == BACKGROUND
    assert tuple(image[8, 24]) == (200, 0, 100)
    half = (np.array([200, 0, 100]) + BACKGROUND) / 2
    assert np.abs(image[24, 24] - half).max() <= 1

    palette = Image.new("P", (32, 32), 1)
    palette.putpalette([0, 255, 0, 200, 0, 100])
    palette.paste(0, (0, 0, 16, 32))
    image = decode_image(encoded(palette, "PNG", transparency=0))
    assert tuple(image[8, 8]) == BACKGROUND
    assert tuple(image[8, 24]) == (200, 0, 100)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert tuple(decode_image(data)[16, 16]) == (255, 0, 0)


def test_many_photos_are_read_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, bad ones too, and the next while the caller works on one."""
    begun = [threading.Event() for _ in range(6)]

    def watched(path: Path) -> NDArray[np.uint8]:
        begun[int(path.stem)].set()
        return read_image(path)

    monkeypatch.setattr("backend.vision.images.read_image", watched)
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        path.write_bytes(b"" if number == 3 else encoded(Image.new("L", (20, 20), number), "PNG"))
    number = -1
    with closing(read_ahead(paths)) as images:
        for number, image in enumerate(images):
            assert all(event.wait(20) for event in begun[number : number + AHEAD + 1])
            assert not any(event.is_set() for event in begun[number + AHEAD + 1 :])
            if isinstance(image, BadInputError):
                assert (number, image.code) == (3, "empty-file")
            else:
                assert image[0, 0, 0] == number
    assert number == 5


def test_what_stops_the_caller_stops_reading_ahead(tmp_path: Path) -> None:
    def check() -> None:
        raise CancelledError

    (tmp_path / "bomb.jpg").write_bytes(progressive_jpeg())
    started = time.monotonic()
    with stopped_by(check), pytest.raises(CancelledError):
        next(read_ahead([tmp_path / "bomb.jpg"]))
    assert time.monotonic() - started < 5
