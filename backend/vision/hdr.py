"""Colours of ITU-T H.273 (PQ, HLG, wide gamuts) as sRGB: for photos and films alike.

A colour's way: its numbers become light in which 1 is diffuse white (`light`), the light moves to
sRGB's primaries (`in_srgb_primaries`), what is brighter than a screen's white rolls off
(`tone_mapped`), and the result is encoded (`encoded_srgb`). `srgb` goes all of it, `cube` tabulates
it for whoever has more pixels than time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Pixels = NDArray[np.uint8]
# Red, green, blue and white as CIE 1931 x, y.
Chromaticities = tuple[
    tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]
]

# Values of H.273, as PNG's cICP, AVIF, HEIF and FFmpeg use them.
BT_709, UNSPECIFIED, BT_2020, DISPLAY_P3 = 1, 2, 9, 12
GAMMA_22, GAMMA_28, LINEAR, SRGB, PQ, HLG = 4, 5, 8, 13, 16, 18

# BT.2408: diffuse white of HDR programmes in candela per square metre, 75 % of HLG's signal on a
# screen of 1,000.
DIFFUSE_WHITE = 203.0
HLG_PEAK = 1000.0
HLG_GAMMA = 1.2
BT_2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)

# Below it light stays as it is, skin included; above it rolls off towards 1, as in Khronos' "PBR
# Neutral" tone mapper. Diffuse white itself comes out as 0.88, three CIEDE2000 darker.
KNEE = 0.76
# How much brighter highlights lose of their colour, of the same tone mapper.
BLEACH = 0.15

# Primaries that differ by less are the same: files round them.
SAME_CHROMATICITY = 2e-3
# Steps of linear light before it is encoded in 8 bits.
_CODES = 65535


_D65 = (0.3127, 0.3290)
_CHROMATICITIES: dict[int, Chromaticities] = {
    BT_709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    BT_2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    DISPLAY_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}


@dataclass(frozen=True)
class Coding:
    """What the red, green and blue of a picture mean.

    Attributes
    ----------
    primaries, transfer
        Colour primaries and transfer characteristics of H.273. Those of unknown numbers count as
        sRGB's, as do the transfers of SDR television: screens show them so.
    chromaticities, exponent
        What stands in place of a number: primaries and white themselves; the power that makes
        light of the colours.
    """

    primaries: int = BT_709
    transfer: int = SRGB
    chromaticities: Chromaticities | None = None
    exponent: float | None = None

    @property
    def is_hdr(self) -> bool:
        """Whether it has light brighter than diffuse white."""
        return self.exponent is None and self.transfer in (PQ, HLG)

    @property
    def is_srgb(self) -> bool:
        """Whether nothing need be converted."""
        return self.matrix is None and (
            self.exponent is None and self.transfer not in (GAMMA_22, GAMMA_28, LINEAR, PQ, HLG)
        )

    @property
    def matrix(self) -> NDArray[np.float32] | None:
        """(3, 3) from its linear light to that of sRGB's primaries; None if they are the same."""
        given = self.chromaticities or _CHROMATICITIES.get(self.primaries)
        if given is None or np.allclose(given, _CHROMATICITIES[BT_709], atol=SAME_CHROMATICITY):
            return None
        return _matrix(*given)

    def light(self, colors: Floats) -> NDArray[np.float32]:
        """Return light of a screen that shows colours; see `light`."""
        if self.exponent is not None:
            return np.clip(np.asarray(colors, np.float32), 0, 1) ** np.float32(self.exponent)
        return light(colors, self.transfer)


def srgb(colors: Floats, coding: Coding) -> NDArray[np.float32]:
    """Convert colours to sRGB.

    Parameters
    ----------
    colors
        (..., 3) red, green, blue in full range: 0 to 1.
    coding
        What they mean.

    Returns
    -------
    (..., 3) float32 in 0 to 1.
    """
    return encoded_srgb(_srgb_light(coding.light(colors), coding))


def srgb_pixels(pixels: NDArray[np.unsignedinteger[Any]], coding: Coding, white: int) -> Pixels:
    """Convert pixels to sRGB, ten times as fast as `srgb`.

    Parameters
    ----------
    pixels
        (..., 3) uint8 or uint16 red, green, blue in full range.
    coding
        What they mean.
    white
        The number that stands for 1, such as 1023; pixels are not larger.

    Returns
    -------
    (..., 3) uint8.
    """
    if coding.is_hdr and coding.transfer == HLG:
        linear = _hlg_display(_scene_table(white)[pixels]) / np.float32(DIFFUSE_WHITE)
    else:
        linear = _light_table(coding, white)[pixels]
    codes = np.clip(_srgb_light(linear, coding), 0, 1) * np.float32(_CODES) + np.float32(0.5)
    return _encoding_table()[codes.astype(np.uint16)]


def _srgb_light(linear: NDArray[np.float32], coding: Coding) -> NDArray[np.float32]:
    if coding.matrix is not None:
        linear = linear @ coding.matrix.T
    return tone_mapped(linear) if coding.is_hdr else linear


@lru_cache(4)
def _light_table(coding: Coding, white: int) -> NDArray[np.float32]:
    return coding.light(np.linspace(0, 1, white + 1, dtype=np.float32))


@lru_cache(4)
def _scene_table(white: int) -> NDArray[np.float32]:
    return _hlg_scene(np.linspace(0, 1, white + 1, dtype=np.float32))


@lru_cache(1)
def _encoding_table() -> Pixels:
    encoded = encoded_srgb(np.linspace(0, 1, _CODES + 1, dtype=np.float32))
    return np.round(255 * encoded).astype(np.uint8)


@lru_cache(4)
def cube(coding: Coding, size: int = 65) -> NDArray[np.float32]:
    """Tabulate `srgb`.

    Parameters
    ----------
    coding
        What the colours mean.
    size
        Steps along each axis, from 0 to 1.

    Returns
    -------
    (size, size, size, 3) float32, red, green, blue along the axes; not to be written to.
    """
    steps = np.linspace(0, 1, size, dtype=np.float32)
    table = srgb(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1), coding)
    table.flags.writeable = False
    return table


def light(colors: Floats, transfer: int) -> NDArray[np.float32]:
    """Return light of a screen that shows the colours.

    Parameters
    ----------
    colors
        (..., 3) in 0 to 1. HLG's must be of BT.2020's primaries, as they always are.
    transfer
        Of H.273; see `Coding`.

    Returns
    -------
    (..., 3) float32, linear; 1 is diffuse white, PQ and HLG reach beyond.
    """
    signal = np.clip(np.asarray(colors, np.float32), 0, 1)
    if transfer == PQ:
        return pq_nits(signal) / np.float32(DIFFUSE_WHITE)
    if transfer == HLG:
        return hlg_nits(signal) / np.float32(DIFFUSE_WHITE)
    if transfer == LINEAR:
        return signal
    if transfer in (GAMMA_22, GAMMA_28):
        return signal ** np.float32(2.2 if transfer == GAMMA_22 else 2.8)
    return linear_srgb(signal)


def pq_nits(signal: Floats) -> NDArray[np.float32]:
    """Return BT.2100's EOTF of PQ: (...) in 0 to 1 as candela per square metre, to 10,000."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    # In float32 the small differences below lose a hundredth of dark light.
    power = np.asarray(signal, np.float64) ** (1 / m2)
    return (1e4 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)).astype(np.float32)


def hlg_nits(signal: Floats) -> NDArray[np.float32]:
    """Return BT.2100's EOTF of HLG on its reference screen of 1,000 candela per square metre.

    Parameters
    ----------
    signal
        (..., 3) in 0 to 1, of BT.2020's primaries.

    Returns
    -------
    (..., 3) float32 candela per square metre.
    """
    return _hlg_display(_hlg_scene(np.asarray(signal, np.float32)))


def _hlg_scene(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the camera's light, by the inverse of HLG's OETF."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(
        np.float32
    )


def _hlg_display(scene: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the screen's light in candela per square metre, by HLG's OOTF."""
    luminance = (scene @ BT_2020_LUMINANCE)[..., None]
    gain = np.float32(HLG_PEAK) * luminance ** np.float32(HLG_GAMMA - 1)
    return np.asarray(scene * gain, np.float32)


def linear_srgb(colors: Floats) -> NDArray[np.float32]:
    """Return the linear light of sRGB's colours: (...) in 0 to 1."""
    colors = np.asarray(colors, np.float32)
    bright = ((np.maximum(colors, 0) + 0.055) / 1.055) ** 2.4
    return np.where(colors <= 0.04045, colors / 12.92, bright).astype(np.float32)


def encoded_srgb(linear: Floats) -> NDArray[np.float32]:
    """Return SRGB's colours of linear light, (...); what its screen cannot show is clipped to 0
    and 1.
    """
    linear = np.clip(np.asarray(linear, np.float32), 0, 1)
    bright = 1.055 * linear ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, bright).astype(np.float32)


def in_srgb_primaries(linear: Floats, primaries: int) -> NDArray[np.float32]:
    """Return the linear light of other primaries in sRGB's: (..., 3), below 0 what they do not
    reach.
    """
    matrix = Coding(primaries).matrix
    linear = np.asarray(linear, np.float32)
    return linear if matrix is None else linear @ matrix.T


def tone_mapped(linear: Floats) -> NDArray[np.float32]:
    """Return light of HDR as light of a screen that ends at diffuse white.

    Light up to `KNEE` keeps its value, so that skin looks as in a picture without HDR. Brighter
    light rolls off by its largest channel, which keeps the hue, and loses colour as it grows.

    Parameters
    ----------
    linear
        (..., 3) in sRGB's primaries, 1 is diffuse white.

    Returns
    -------
    (..., 3) float32 of at most 1; negative values stay.
    """
    linear = np.asarray(linear, np.float32)
    peak = linear.max(axis=-1)
    bright = peak > KNEE
    if not bright.any():
        return linear
    mapped = linear.copy()
    peak = peak[bright][:, None]
    rolled = 1 - np.float32((1 - KNEE) ** 2) / (peak - np.float32(2 * KNEE - 1))
    kept = 1 / (np.float32(BLEACH) * (peak - rolled) + 1)
    mapped[bright] = rolled + (linear[bright] * (rolled / peak) - rolled) * kept
    return mapped


def primaries_matrix(
    red: tuple[float, float],
    green: tuple[float, float],
    blue: tuple[float, float],
    white: tuple[float, float],
) -> NDArray[np.float32]:
    """Return the matrix from linear light of given primaries to that of sRGB's.

    Parameters
    ----------
    red, green, blue, white
        CIE 1931 x, y. A white other than D65 becomes D65 by scaling the cones' answers (Bradford).

    Returns
    -------
    (3, 3) float32 for columns.

    Raises
    ------
    numpy.linalg.LinAlgError
        The primaries lie on a line.
    """
    theirs = _adapted(white) @ _to_xyz(red, green, blue, white)
    return np.linalg.solve(_to_xyz(*_CHROMATICITIES[BT_709]), theirs).astype(np.float32)


_matrix = lru_cache(primaries_matrix)


def _to_xyz(*chromaticities: tuple[float, float]) -> NDArray[np.float64]:
    """Return the matrix from linear light of primaries (red, green, blue, white) to CIE XYZ."""
    *primaries, white = [np.array([x / y, 1, (1 - x - y) / y]) for x, y in chromaticities]
    columns = np.stack(primaries, axis=1)
    return columns * np.linalg.solve(columns, white)


def _adapted(white: tuple[float, float]) -> Floats:
    """Return Bradford's matrix from XYZ under a white to XYZ under D65."""
    if white == _D65:
        return np.eye(3)
    cones = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    there, here = (cones @ [x / y, 1, (1 - x - y) / y] for x, y in (white, _D65))
    return np.linalg.solve(cones, np.diag(here / there) @ cones)
