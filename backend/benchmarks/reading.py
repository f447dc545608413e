"""What reading a photo takes, in this process and in the child that is meant for it."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.sandbox.wire import Rows
from backend.server.frame_image import frame_image
from backend.vision.decoding import frame, photo
from backend.vision.images import decode_image

# As phones take them: 12 megapixels.
PHOTO_SIZE = (4000, 3000)
JPEG_QUALITY = 90

CHILD = "12 MP JPEG in a child (at most 15 ms more)"
HERE = "12 MP JPEG in this process"
FRAME_CHILD = "stream's JPEG in a child"
FRAME_HERE = "stream's JPEG in this process"


def reading_stages(picture: NDArray[np.uint8]) -> dict[str, Callable[[], object]]:
    """Time the reading of a photo and a frame, each with and without a child process.

    Parameters
    ----------
    picture
        (H, W, 3) uint8 RGB, a frame; the photo is scaled up from it.
    """
    large = _jpeg(Image.fromarray(picture).resize(PHOTO_SIZE))
    small = _jpeg(Image.fromarray(picture))
    return {
        CHILD: lambda: decode_image(large),
        HERE: lambda: _decoded_here(large),
        FRAME_CHILD: lambda: frame_image(small, None),
        FRAME_HERE: lambda: frame.decode(small),
    }


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _decoded_here(data: bytes) -> NDArray[np.uint8]:
    (rows,) = photo.decode(data, "photo").arrays
    assert isinstance(rows, Rows)
    image = np.empty(rows.shape, rows.dtype)
    top = 0
    for part in rows.parts:
        image[top : top + len(part)] = part
        top += len(part)
    return image
