"""Pictures that Pillow opens: which one of a file, and its pixels in rows."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, ExifTags, Image, PngImagePlugin

from backend.errors import BadInputError
from backend.vision.color_profile import MAX_PROFILE_BYTES, to_srgb
from backend.vision.decoding import iso_media, jpeg
from backend.vision.decoding.depth import eight_bits
from backend.vision.decoding.limits import BACKGROUND, FORMATS, MAX_PIXELS, check_size

Bytes = bytes | bytearray | memoryview

# Sizes are checked here, before a pixel is allocated, and odd metadata is no reason to bother
# anyone: Pillow says both on standard error.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")
# Profiles of printers and cameras are longer than the megabyte that Pillow allows.
PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, MAX_PROFILE_BYTES)
# Each takes address space, which is limited.
AvifImagePlugin.DEFAULT_MAX_THREADS = 4

# libjpeg decodes at these parts of the size.
JPEG_SCALES = (2, 4, 8)
# Of files with more pages no further one is looked at.
MAX_PAGES = 32
# Pixels that are worked on at a time.
BAND_PIXELS = 2**18

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Picture:
    """A decoded picture, upright.

    Parameters
    ----------
    data
        The file.
    picture
        Opened by `open_picture`.
    orientation
        As EXIF counts it, for a picture that says none.

    Raises
    ------
    Exception
        Of any kind: the file is damaged.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, data: Bytes, picture: Image.Image, orientation: int = 1) -> None:
        picture = _loaded(data, picture)
        turn = TURNS.get(orientation_of(picture, orientation))
        picture = eight_bits(data, picture)
        self._picture = picture if turn is None else picture.transpose(turn)
        self._to_srgb: Callable[[Image.Image], Image.Image] = to_srgb(self._picture)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and 3."""
        return self._picture.height, self._picture.width, 3

    def rows(self) -> Iterator[NDArray[np.uint8]]:
        """Yield (n, W, 3) RGB, from the top."""
        height, width, _ = self.shape
        step = max(BAND_PIXELS // width, 1)
        for top in range(0, height, step):
            band = self._picture.crop((0, top, width, min(top + step, height)))
            colors = self._to_srgb(band)
            if band.has_transparency_data:
                canvas = Image.new("RGB", band.size, BACKGROUND)
                canvas.paste(colors, mask=band.convert("RGBA").getchannel("A"))
                colors = canvas
            yield np.asarray(colors)


def open_picture(data: Bytes, name: str) -> Image.Image:
    """Open an image file and choose among its pictures; nothing is decoded.

    Of an animation that is the first frame; of a multi-picture JPEG the first, of a TIFF with
    pages the largest. A JPEG of too many pixels will be decoded at a half, a quarter or an eighth.

    Raises
    ------
    BadInputError
        It is too large, too small, or of a depth that is not read.
    Exception
        Of any kind: it is no image.
    """
    # Pillow registers some of the formats only here, and fails on a list that names them before.
    Image.init()
    if iso_media.is_heif(data):
        _read_heif_too()
    formats = [each for each in FORMATS if each in Image.OPEN]
    picture = Image.open(io.BytesIO(data), formats=formats)
    _choose(picture)
    _scale_down(picture)
    check_size(picture.size, name)
    if picture.mode in ("I", "F"):
        raise BadInputError(
            f"{name} has 32 bits per channel, which leaves open what white is.",
            "Save it with 8 or 16 bits per channel.",
            code="unsupported-depth",
        )
    return picture


def orientation_of(picture: Image.Image, default: int = 1) -> int:
    """Tell how a picture is to be turned, as EXIF counts it."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation, default)
    except Exception:
        # Unreadable metadata only loses the orientation.
        return default


def _read_heif_too() -> None:
    """Register HEIF: most photos do not need it, and it takes a while to import."""
    import pillow_heif

    if "HEIF" not in Image.OPEN:
        pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def _choose(picture: Image.Image) -> None:
    pages = min(getattr(picture, "n_frames", 1), MAX_PAGES)
    if picture.format == "PNG" and getattr(picture, "default_image", False) and pages > 1:
        picture.seek(1)  # the one before is for viewers that know no animations
    if picture.format == "TIFF" and pages > 1:
        sizes = []
        for page in range(pages):
            picture.seek(page)
            sizes.append(picture.width * picture.height)
        picture.seek(int(np.argmax(sizes)))


def _scale_down(picture: Image.Image) -> None:
    pixels = picture.width * picture.height
    if picture.format in ("JPEG", "MPO") and pixels > MAX_PIXELS:
        fitting = (scale for scale in JPEG_SCALES if pixels <= MAX_PIXELS * scale**2)
        scale = next(fitting, JPEG_SCALES[-1])
        picture.draft(None, (picture.width // scale, picture.height // scale))


def _loaded(data: Bytes, picture: Image.Image) -> Image.Image:
    try:
        picture.load()
    except OSError:
        if picture.format not in ("JPEG", "MPO"):
            raise
        return _completed(bytes(data), picture)
    return picture


def _completed(data: bytes, picture: Image.Image) -> Image.Image:
    """Return a JPEG file that lacks its last bytes, as viewers show it; an error if it lacks
    more.
    """
    whole = Image.open(io.BytesIO(data + jpeg.END), formats=["JPEG"])
    _scale_down(whole)
    whole.load()
    if not jpeg.is_nearly_whole(data, np.asarray(whole)):
        raise OSError("much of the file is missing")
    return whole
