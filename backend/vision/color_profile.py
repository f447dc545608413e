"""Photographs whose colours mean something else than sRGB: converted by their embedded profile."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

# Those of printers, the largest, take two to three megabytes.
MAX_PROFILE_BYTES = 4 * 2**20

# Where a profile's header names its colour space.
_SPACE = slice(16, 20)
# Modes of Pillow whose colours a profile of a space describes, and the mode without transparency
# and palette that Little CMS takes.
_MODES = {
    b"RGB ": (frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"}), "RGB"),
    b"GRAY": (frozenset({"1", "L", "LA"}), "L"),
    b"CMYK": (frozenset({"CMYK"}), "CMYK"),
}


def to_srgb(picture: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return what converts a picture's colours to sRGB, and leaves transparency out.

    A profile that is damaged, longer than `MAX_PROFILE_BYTES` or for another kind of picture counts
    as none: without a profile colours are taken for sRGB.

    Parameters
    ----------
    picture
        Of 8 bits per channel.

    Returns
    -------
    Makes RGB of the picture or of a part of it.
    """
    profile = picture.info.get("icc_profile") or b""
    modes, mode = _MODES.get(profile[_SPACE], (frozenset(), ""))
    if picture.mode not in modes or len(profile) > MAX_PROFILE_BYTES:
        return _plain
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, ImageCms.PyCMSError):
        return _plain
    if mode == "RGB" and _changes_nothing(transform):
        return _plain
    return lambda part: transform.apply(part.convert(mode))


def _plain(picture: Image.Image) -> Image.Image:
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Tell whether it is that of sRGB, which most photos have: all the work would be for
    rounding.
    """
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 9, 3)
    converted = np.asarray(transform.apply(Image.fromarray(colors)))
    return bool(np.abs(converted.astype(int) - colors).max() <= 1)
