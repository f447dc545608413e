"""Pictures whose colours a file explains by numbers: HDR and wide gamuts, and PNG's gamma."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.vision.decoding import iso_media
from backend.vision.decoding.limits import BACKGROUND
from backend.vision.decoding.picture import BAND_PIXELS, orientation_of
from backend.vision.hdr import Coding, srgb_pixels

Bytes = bytes | bytearray | memoryview

_SIGNATURE = 8
MAX_CHUNKS = 1000
# Between them PNG's gamma is one that a picture was made with, and no slip of the pen.
GAMMAS = (0.2, 2.0)
SRGB_GAMMA = 1 / 2.2
SAME_GAMMA = 0.01


def coding_of(data: Bytes, picture: Image.Image) -> Coding | None:
    """Return what a picture's colours mean if neither sRGB nor a profile says it; else None.

    Parameters
    ----------
    data
        The file.
    picture
        Opened by Pillow.
    """
    profile = bool(picture.info.get("icc_profile"))
    if picture.format == "PNG":
        # In the order of the PNG specification.
        coding = _png_coding(data)
        if coding is None and not profile and "srgb" not in picture.info:
            coding = _png_gamma(picture)
    elif picture.format in ("AVIF", "HEIF"):
        coding = iso_media.primary_coding(data)
        if coding and profile and not coding.is_hdr:
            return None
    else:
        return None
    return None if coding is None or coding.is_srgb else coding


class CodedPicture:
    """A decoded picture, upright, in sRGB.

    Parameters
    ----------
    data
        The file.
    picture
        Opened by Pillow, which reads only eight of the bits, so that others decode it.
    coding
        See `coding_of`.

    Raises
    ------
    Exception
        Of any kind: the file is damaged.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, data: Bytes, picture: Image.Image, coding: Coding) -> None:
        stored = _heif(data) if picture.format == "HEIF" else _png_or_avif(data)
        if stored.colors.shape[1::-1] != picture.size:
            raise ValueError("two decoders see two pictures")
        orientation = orientation_of(picture)
        self._colors = _turned(stored.colors, orientation)
        self._opacity = _turned(stored.opacity, orientation) if stored.opacity is not None else None
        self._white = stored.white
        self._coding = coding

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and 3."""
        return *self._colors.shape[:2], 3

    def rows(self) -> Iterator[NDArray[np.uint8]]:
        """Yield (n, W, 3) RGB, from the top."""
        height, width, _ = self.shape
        step = max(BAND_PIXELS // width, 1)
        for band in (slice(top, top + step) for top in range(0, height, step)):
            colors = srgb_pixels(self._colors[band], self._coding, self._white)
            if self._opacity is not None:
                opacity = self._opacity[band] / np.float32(self._white)
                background = np.array(BACKGROUND, np.float32)
                colors = np.round(background + (colors - background) * opacity).astype(np.uint8)
            yield colors


@dataclass(frozen=True)
class _Stored:
    """Pixels as they are stored.

    Attributes
    ----------
    colors, opacity
        (H, W, 3) red, green, blue, and (H, W, 1); both of the same unsigned type.
    white
        The number that stands for 1.
    """

    colors: NDArray[np.unsignedinteger]
    opacity: NDArray[np.unsignedinteger] | None
    white: int


def _png_or_avif(data: Bytes) -> _Stored:
    import cv2

    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype not in (np.uint8, np.uint16):
        raise ValueError("it cannot be decoded")
    deep = found.dtype == np.uint16
    stored = np.atleast_3d(np.asarray(found, np.uint16 if deep else np.uint8))
    bits = iso_media.primary_depth(data) if iso_media.is_avif(data) else 16
    white = 2**bits - 1 if deep else 255
    if stored.shape[2] < 3:
        return _Stored(stored[..., [0, 0, 0]], None, white)
    # OpenCV's order is blue, green, red.
    return _Stored(stored[..., 2::-1], stored[..., 3:] if stored.shape[2] == 4 else None, white)


def _heif(data: Bytes) -> _Stored:
    import pillow_heif

    stored = np.asarray(
        pillow_heif.open_heif(
            io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=True, remove_stride=True
        )
    )
    white = 255 if stored.dtype == np.uint8 else 65535
    return _Stored(stored[..., :3], stored[..., 3:] if stored.shape[2] == 4 else None, white)


def _turned(pixels: NDArray[np.unsignedinteger], orientation: int) -> NDArray[np.unsignedinteger]:
    """Turn as EXIF's tag 274 says."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _png_coding(data: Bytes) -> Coding | None:
    """Return what the chunk cICP says: two numbers of H.273."""
    at = _SIGNATURE
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            return None
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"cICP" and length == 4:
            return Coding(data[at + 8], data[at + 9])
        if kind == b"IDAT":
            return None
        at += 12 + length
    return None


def _png_gamma(picture: Image.Image) -> Coding | None:
    """Return what the chunks gAMA and cHRM say, the older way; cHRM alone counts for nothing."""
    gamma = picture.info.get("gamma")
    if not gamma or not GAMMAS[0] <= gamma <= GAMMAS[1]:
        return None
    exponent = None if abs(gamma - SRGB_GAMMA) < SAME_GAMMA else 1 / gamma
    named = picture.info.get("chromaticity")
    if named is None:
        return Coding(exponent=exponent)
    white, red, green, blue = zip(named[::2], named[1::2], strict=True)
    if min(white[1], red[1], green[1], blue[1]) <= 0:
        return Coding(exponent=exponent)
    return Coding(chromaticities=(red, green, blue, white), exponent=exponent)
