"""Small textures of the mouth and of the scalp, and what is in which of them.

All are RGB, row 0 is v = 1. The face's own texture is made by `backend.texture`.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
Picture = NDArray[np.uint8]

# The mouth's texture: bands (v from, v to) of its parts.
BANDS = {"cavity": (0.0, 0.25), "tongue": (0.25, 0.5), "gums": (0.5, 0.75), "teeth": (0.75, 1.0)}
# Filters at a band's edge must not reach the next.
INSET = 0.02
MOUTH_SIZE = 256

# sRGB along each band, from v = 0 to v = 1 of the part's own coordinates.
MOUTH_COLORS = {
    # From the throat to the lips.
    "cavity": [
        (12, 5, 5), (36, 13, 13), (72, 28, 27), (106, 46, 43), (128, 60, 56), (138, 68, 64),
        (144, 74, 70), (150, 78, 74),
    ],
    # From the root to the tip.
    "tongue": [(110, 50, 50), (150, 78, 76), (172, 95, 92), (180, 102, 100)],
    # From the side of the tongue over the ridge to the side of the lip.
    "gums": [
        (140, 66, 64), (176, 98, 94), (196, 122, 114), (196, 122, 114), (178, 98, 94),
        (140, 64, 62),
    ],
    # From the gum to the edge, where enamel lets light through.
    "teeth": [(206, 190, 158), (222, 210, 186), (230, 221, 202), (228, 221, 206), (214, 210, 202)],
}  # fmt: skip
# How much these surfaces vary, in levels of 255, and over how many texels.
MOTTLED = {"cavity": (5, 6.0), "tongue": (10, 1.2), "gums": (8, 3.0), "teeth": (3, 8.0)}


def into_band(uv: Float, band: tuple[float, float]) -> NDArray[np.float32]:
    """Texture coordinates of the unit square in a band of it."""
    low, high = band
    v = low + (INSET + uv[:, 1] * (1 - 2 * INSET)) * (high - low)
    return np.stack([uv[:, 0], v], axis=1).astype(np.float32)


@cache
def mouth_texture(size: int = MOUTH_SIZE) -> Picture:
    """(size, size, 3) of everybody's teeth, gums, tongue and cavity."""
    rng = np.random.default_rng(0)
    picture = np.zeros((size, size, 3), np.float32)
    v = 1 - (np.arange(size) + 0.5) / size
    for part, (low, high) in BANDS.items():
        rows = np.flatnonzero((v >= low) & (v < high))
        colors = np.array(MOUTH_COLORS[part], np.float32)
        share = np.clip(((v[rows] - low) / (high - low) - INSET) / (1 - 2 * INSET), 0, 1)
        places = np.linspace(0, 1, len(colors))
        band = np.stack([np.interp(share, places, colors[:, k]) for k in range(3)], axis=1)
        strength, grain = MOTTLED[part]
        noise = cv2.GaussianBlur(rng.standard_normal((len(rows), size)), (0, 0), grain)
        noise *= strength / noise.std()
        picture[rows] = band[:, None] + noise[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)
