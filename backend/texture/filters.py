"""OpenCV's filters with float32 pictures in and out, and the few that it lacks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


def smoothstep(low: float, high: float, value: NDArray[np.floating]) -> Float:
    """Return 0 below `low`, 1 above `high`, a smooth cubic between."""
    t = np.clip((value - low) / (high - low), 0, 1).astype(np.float32, copy=False)
    return t * t * (3 - 2 * t)


def sample(
    picture: NDArray[np.generic], position: Float, interpolation: int = cv2.INTER_LINEAR
) -> Float:
    """Sample a picture at (H, W, 2) positions x, y; outside of it its border goes on.

    Returns
    -------
    (H, W, ...) float32; 8-bit pictures keep their range 0 to 255.
    """
    where = np.ascontiguousarray(position)
    sampled = cv2.remap(picture, where, None, interpolation, borderMode=cv2.BORDER_REPLICATE)  # pyright: ignore
    return np.asarray(sampled, np.float32)


def resize(picture: NDArray[np.generic], width: int, height: int) -> Float:
    """Resize; average when shrinking."""
    shrinks = width < picture.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.float32)  # pyright: ignore


def outside(covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the background that is connected with the picture's border, so not a hole in what is
    covered.
    """
    flooded = np.pad(covered.astype(np.uint8), 1)
    cv2.floodFill(flooded, None, (0, 0), 2)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return flooded[1:-1, 1:-1] == 2


def disk(radius: int) -> NDArray[np.uint8]:
    """Return (2 radius + 1, 2 radius + 1) kernel for OpenCV's morphology."""
    shape = 2 * radius + 1, 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, shape), np.uint8)
