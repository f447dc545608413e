"""The colour map of the mean face: the template of every texture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.texture.filters import resize

MEAN_TEXTURE = Path(__file__).with_name("mean_texture.png")


def mean_picture() -> NDArray[np.uint8]:
    """Return the mean texture as it is stored: (S, S, 3) RGB, row 0 is v = 1."""
    from PIL import Image

    with Image.open(MEAN_TEXTURE) as picture:
        return np.asarray(picture.convert("RGB"))


def read_mean_texture(size: int) -> NDArray[np.float32]:
    """Return (size, size, 3) float32 RGB in [0, 1], row 0 is v = 1."""
    return resize(mean_picture().astype(np.float32) / np.float32(255), size, size)
