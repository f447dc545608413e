"""Signals of ITU-R BT.2100 for tests, by its own formulas: light as PQ and HLG of BT.2020."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# BT.2087's matrix, from BT.709 to BT.2020.
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
# BT.2408: candela per square metre of diffuse white.
WHITE = 203
PQ, HLG = 16, 18


def linear(srgb: ArrayLike) -> NDArray[np.floating]:
    """Light of sRGB's colours, to 255."""
    c = np.asarray(srgb, float) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def encoded_pq(nits: ArrayLike) -> NDArray[np.floating]:
    """The inverse EOTF, written as there."""
    y = (np.maximum(nits, 0) / 1e4) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def encoded_hlg(nits: ArrayLike) -> NDArray[np.floating]:
    """The inverse OOTF and the OETF, for a screen of 1,000 candela per square metre."""
    display = np.maximum(nits, 0) / 1000
    luminance = display @ [0.2627, 0.6780, 0.0593]
    scene = display * np.where(luminance > 0, luminance, 1)[..., None] ** ((1 - 1.2) / 1.2)
    return np.where(
        scene <= 1 / 12,
        np.sqrt(3 * scene),
        0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073,
    )


def hdr_signal(srgb: ArrayLike, transfer: int) -> NDArray[np.floating]:
    """(..., 3) colours to 255 as HDR shows them: 0 to 1, white at BT.2408's level."""
    nits = WHITE * linear(srgb) @ TO_2020.T
    return encoded_pq(nits) if transfer == PQ else encoded_hlg(nits)
