"""A stream's frame from its bytes: faster than a photo, of fewer formats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.sandbox.children import call_in_child
from backend.vision.decoding.limits import check_frame

DECODER = "backend.vision.decoding.frame:decode"


def frame_image(body: bytes, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB of a JPEG or PNG file, or of RGB bytes of a `size` (width,
    height).

    Files are decoded in a child process; RGB bytes need no decoder.

    Raises
    ------
    BadInputError
        Neither, damaged, or of a size that is no frame's.
    """
    if size is not None:
        return _raw(body, size)
    (image,) = call_in_child(DECODER, body, what="The frame").arrays
    return np.asarray(image, np.uint8)


def _raw(body: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    check_frame(size)
    width, height = size
    if len(body) != width * height * 3:
        raise BadInputError(
            f"{len(body):,} bytes are no RGB frame of {width}x{height} pixels.",
            f"Send {width * height * 3:,} bytes, row by row, without padding.",
            code="bad-frame",
        )
    return np.frombuffer(body, np.uint8).reshape(height, width, 3)
