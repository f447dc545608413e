"""Pictures as they cross the wire."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NO_PICTURE = np.zeros(0, np.uint8)


def encode_png(picture: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return (N,) bytes of a PNG file that holds an (H, W, 3) RGB picture; none of None."""
    if picture is None:
        return NO_PICTURE
    import cv2

    return cv2.imencode(".png", picture[:, :, ::-1])[1].reshape(-1)
