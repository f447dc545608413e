"""Reading photographs: every usual format becomes RGB bytes, everything else a clear error.

What decodes them runs in a child process, which a file can neither crash nor hold up for long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.foreign.children import call_in_child
from backend.vision.decoding.limits import BACKGROUND as BACKGROUND
from backend.vision.decoding.limits import MAX_BYTES, MAX_PIXELS, too_many_pixels

__all__ = [
    "BACKGROUND",
    "MAX_PIXELS",
    "decode_image",
    "read_ahead",
    "read_image",
    "too_many_pixels",
]

# Pictures that `read_ahead` holds: each takes some megabytes.
AHEAD = 2
DECODER = "backend.vision.decoding.photo:decode"


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a photograph.

    Parameters
    ----------
    path
        The file; formats are those of ``backend.vision.decoding.limits.FORMATS``.

    Returns
    -------
    (H, W, 3) uint8 RGB, upright by its EXIF orientation. See `decode_image`.

    Raises
    ------
    BadInputError
        There is no such file, it is a folder, it may not be read, or it is not a usable image.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise BadInputError(
                f"{path} is a folder, not an image.",
                "Name an image file in it.",
                code="is-folder",
            )
        if not path.is_file():
            raise BadInputError(
                f"There is no file {path}.", "Check its name and folder.", code="missing-file"
            )
        if path.stat().st_size > MAX_BYTES:
            raise BadInputError(
                f"{path} is larger than {MAX_BYTES // 2**20} MiB.",
                "Save the photo as JPEG or in a smaller size.",
                code="too-large",
            )
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(
            f"Cannot read {path}: {error.strerror or error}.",
            "Check its permissions.",
            code="unreadable",
        ) from error
    return decode_image(data, str(path))


def read_ahead(paths: Iterable[Path]) -> Generator[NDArray[np.uint8] | BadInputError]:
    """Read photographs one after the other, the next ones while the caller works on this one.

    Parameters
    ----------
    paths
        See `read_image`.

    Yields
    ------
    For each path its picture, or why it cannot be read.
    """
    # What stops the caller's work stops the reading too.
    context = copy_context()
    reader = ThreadPoolExecutor(1, thread_name_prefix="reading")
    try:
        coming: deque[Future[NDArray[np.uint8] | BadInputError]] = deque()
        for path in paths:
            coming.append(reader.submit(context.run, _image_or_problem, path))
            if len(coming) > AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        reader.shutdown(wait=False, cancel_futures=True)


def _image_or_problem(path: Path) -> NDArray[np.uint8] | BadInputError:
    try:
        return read_image(path)
    except BadInputError as problem:
        return problem


def decode_image(data: bytes, name: str = "image") -> NDArray[np.uint8]:
    """Decode the bytes of an image file, in a child process with limits of time and memory.

    Of several pictures in one file (animation, phone's multi-picture JPEG) the first is taken, of a
    TIFF with pages the largest, of a camera raw file the largest preview. A JPEG of more than
    `MAX_PIXELS` comes out in half its size, or less. 16 bits per channel are scaled to 8;
    transparency shows `BACKGROUND`; colours are converted to sRGB by an embedded profile, PNG's
    gamma, or the numbers of H.273 that AVIF, HEIC and PNG have, HDR's highlights rolling off.

    Parameters
    ----------
    data
        The whole file.
    name
        What error messages call it.

    Returns
    -------
    (H, W, 3) uint8 RGB, upright by its EXIF orientation.

    Raises
    ------
    BadInputError
        Empty, not an image, damaged or truncated, a side under 16 pixels, more than `MAX_PIXELS`
        pixels (refused from the header, before anything is allocated), a camera raw file without
        a large preview, or a file that takes more time or memory than a photo may.
    """
    (image,) = call_in_child(DECODER, data, what=name, arguments={"name": name}).arrays
    return np.asarray(image, np.uint8)
