"""Reading photographs: every usual format becomes RGB bytes, everything else a clear error."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from backend.errors import BadInputError
from backend.vision.color_profile import srgb

MIN_SIDE = 16
MAX_PIXELS = 100_000_000
MAX_BYTES = 512 * 2**20

# Photograph formats only: Pillow also knows formats that start other programs (EPS) or are none.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")

# What shows through a transparent picture: with mid-grey a soft edge gets neither a bright nor a
# dark fringe.
BACKGROUND = (128, 128, 128)

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_CONVERT = "Convert it to JPEG or PNG and try again."

# Pillow warns about large pictures and odd metadata on stderr. Sizes are checked here, before a
# pixel is allocated, and odd metadata is no reason to bother anyone.
warnings.filterwarnings("ignore", module=r"PIL\.")


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a photograph.

    Parameters
    ----------
    path
        The file; formats are those of `FORMATS`.

    Returns
    -------
    (H, W, 3) uint8 RGB, upright by its EXIF orientation. See `decode_image`.

    Raises
    ------
    BadInputError
        There is no such file, it is a folder, it may not be read, or it is not a usable image.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise BadInputError(
                f"{path} is a folder, not an image.",
                "Name an image file in it.",
                code="is-folder",
            )
        if not path.is_file():
            raise BadInputError(
                f"There is no file {path}.", "Check its name and folder.", code="missing-file"
            )
        if path.stat().st_size > MAX_BYTES:
            raise BadInputError(
                f"{path} is larger than {MAX_BYTES // 2**20} MiB.",
                "Save the photo as JPEG or in a smaller size.",
                code="too-large",
            )
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(
            f"Cannot read {path}: {error.strerror or error}.",
            "Check that you may open it.",
            code="unreadable",
        ) from error
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str = "image") -> NDArray[np.uint8]:
    """Decode the bytes of an image file.

    Of several pictures in one file (animation, phone's multi-picture JPEG) the first is taken.
    16 bits per channel are scaled to 8; transparency shows `BACKGROUND`; colours are converted to
    sRGB by an embedded profile.

    Parameters
    ----------
    data
        The whole file.
    name
        What error messages call it.

    Returns
    -------
    (H, W, 3) uint8 RGB, upright by its EXIF orientation.

    Raises
    ------
    BadInputError
        Empty, not an image, damaged or truncated, HEIC, a side under `MIN_SIDE` pixels, or more
        than `MAX_PIXELS` pixels (refused from the header, before anything is allocated).
    """
    if not data:
        raise BadInputError(f"{name} is empty.", "Copy or download it again.", code="empty-file")
    if _is_heif(data):
        raise BadInputError(
            f"{name} is a HEIC photo, which cannot be read.", _CONVERT, code="unsupported-heic"
        )
    # Pillow registers some of the formats only here, and fails on a list that names them before.
    Image.init()
    # Broken files make Pillow's decoders raise nearly anything, so every exception counts here.
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise too_many_pixels(name) from error
    except Exception as error:
        raise BadInputError(
            f"{name} is not an image, or it is damaged.",
            f"Formats that can be read: {', '.join(FORMATS)}.",
            code="not-an-image",
        ) from error
    with picture:
        _check_size(picture.size, name)
        if picture.mode in ("I", "F"):
            raise BadInputError(
                f"{name} has 32 bits per channel, which leaves open what white is.",
                "Save it with 8 or 16 bits per channel.",
                code="unsupported-depth",
            )
        try:
            picture.load()
            return _rgb(_upright(picture))
        except Exception as error:
            raise BadInputError(
                f"{name} is damaged or incomplete: its picture cannot be decoded.",
                "Copy or download it again, or save it anew as JPEG or PNG.",
                code="damaged-image",
            ) from error


def _is_heif(data: bytes) -> bool:
    """Whether an ISO media file's brands say HEIC and not AVIF, which shares the container."""
    if data[4:8] != b"ftyp":
        return False
    end = min(max(int.from_bytes(data[:4], "big"), 16), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise too_many_pixels(name, size)
    if min(size) < MIN_SIDE:
        raise BadInputError(
            f"{name} is only {width}x{height} pixels.",
            "Use a photo in which the face is at least 100 pixels wide.",
            code="too-small",
        )


def too_many_pixels(name: str, size: tuple[int, int] | None = None) -> BadInputError:
    """Refusal of a picture, or of a clip's pictures, with more than `MAX_PIXELS` pixels."""
    extent = f" {size[0]}x{size[1]}, " if size else " "
    return BadInputError(
        f"{name} has too many pixels:{extent}more than {MAX_PIXELS // 10**6} million.",
        "Scale it down and try again.",
        code="too-many-pixels",
    )


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:
        # The pixels are decoded by now; unreadable metadata only loses the orientation.
        return picture


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I;16"):
        picture = _eight_bits(picture)
    colors = srgb(picture)
    if picture.has_transparency_data:
        canvas = Image.new("RGB", picture.size, BACKGROUND)
        canvas.paste(colors, mask=picture.convert("RGBA").getchannel("A"))
        colors = canvas
    return np.array(colors)


def _eight_bits(picture: Image.Image) -> Image.Image:
    grey = np.asarray(picture).astype(np.uint32)
    scaled = Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8))
    scaled.info["icc_profile"] = picture.info.get("icc_profile")
    return scaled
