"""Pictures of more than eight bits per channel in eight."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from backend.vision.decoding import tiff

Bytes = bytes | bytearray | memoryview

# Cameras of 10, 12 and 14 bits leave the upper bits of TIFF's 16 empty. No photo is so dark that
# it has none of them.
CAMERA_WHITES = (1023, 4095, 16383)
WHITE = 65535


def eight_bits(data: Bytes, picture: Image.Image) -> Image.Image:
    """Return a decoded picture in 8 bits per channel, with its profile.

    16 bits are scaled, not cut off; in TIFF files, which do not say how many of them count, the
    brightest pixel tells.
    """
    is_tiff = isinstance(picture, TiffImagePlugin.TiffImageFile)
    if picture.mode.startswith("I;16"):
        grey = np.asarray(picture)
        return _scaled(grey, _white(grey) if is_tiff else WHITE, picture)
    if is_tiff and _is_dark_16_bit(picture):
        deep = _all_bits(data)
        if deep is not None and deep.shape[1::-1] == picture.size:
            return _scaled(deep, _white(deep), picture)
    return picture


def _is_dark_16_bit(picture: TiffImagePlugin.TiffImageFile) -> bool:
    """Tell whether Pillow has cut to 8 bits what leaves the upper ones empty."""
    bits = picture.tag_v2.get(tiff.BITS, ())
    if picture.mode != "RGB" or tuple(bits) != (16, 16, 16) or picture.tell() != 0:
        return False
    return np.ravel(np.array(picture.getextrema())).max() <= CAMERA_WHITES[-1] >> 8


def _all_bits(data: Bytes) -> NDArray[np.uint16] | None:
    import cv2

    # Its other flags mix up TIFF's 16-bit channels.
    deep = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if deep is None or deep.dtype != np.uint16 or deep.ndim != 3 or deep.shape[2] != 3:
        return None
    return np.asarray(deep[..., ::-1], np.uint16)


def _white(pixels: NDArray[np.uint16]) -> int:
    brightest = int(pixels.max())
    if brightest < 256:
        return WHITE  # black, or eight bits that nobody scaled: either is no photo
    return next((white for white in CAMERA_WHITES if brightest <= white), WHITE)


def _scaled(pixels: NDArray[np.uint16], white: int, picture: Image.Image) -> Image.Image:
    levels = np.minimum(np.arange(WHITE + 1), white)
    table = ((levels * 255 + white // 2) // white).astype(np.uint8)
    scaled = Image.fromarray(table[pixels])
    scaled.info["icc_profile"] = picture.info.get("icc_profile")
    return scaled
