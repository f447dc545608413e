"""Small textures of eyes and mouth, made from plain values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]

# The mouth's texture: bands (v from, v to) of its parts.
BANDS = {"cavity": (0.0, 0.25), "tongue": (0.25, 0.5), "gums": (0.5, 0.75), "teeth": (0.75, 1.0)}
# Filters at a band's edge must not reach the next.
INSET = 0.02


def into_band(uv: Float, band: tuple[float, float]) -> NDArray[np.float32]:
    """Texture coordinates of the unit square in a band of it."""
    low, high = band
    v = low + INSET + uv[:, 1] * (high - low - 2 * INSET)
    return np.stack([uv[:, 0], v], axis=1).astype(np.float32)
