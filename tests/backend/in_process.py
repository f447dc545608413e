"""Photos decoded without the child process: for what its pixels are, and for faults in decoders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.sandbox.wire import Rows
from backend.vision.decoding import frame, photo


def decoded(data: bytes, name: str = "image") -> NDArray[np.uint8]:
    """What ``decode_image`` answers."""
    (rows,) = photo.decode(data, name).arrays
    assert isinstance(rows, Rows)
    image = np.concatenate(list(rows.parts))
    assert image.shape == rows.shape and image.dtype == rows.dtype
    return image


def decoded_frame(data: bytes) -> NDArray[np.uint8]:
    """What ``frame_image`` answers for a file."""
    (image,) = frame.decode(data).arrays
    assert isinstance(image, np.ndarray)
    return image
