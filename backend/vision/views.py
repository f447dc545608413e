"""Looking at an image shrunk, turned and through windows, and carrying points back from there."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Points = NDArray[np.float32]

# Neighbouring windows share this part of their side at least: more than the largest face that
# larger windows can have missed.
OVERLAP = 0.35


def shrunk_and_turned(image: Image, scale: float, turn: float) -> tuple[Image, NDArray[np.float64]]:
    """Copy of an image, shrunk and turned clockwise by degrees, whole.

    Returns
    -------
    The copy, and the (2, 3) affine map from its pixels to the image's.
    """
    height, width = image.shape[:2]
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        view = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    else:
        view = image.copy()
    inverse = np.array([width / view.shape[1], height / view.shape[0]])
    image_from_view = np.column_stack([np.diag(inverse), (inverse - 1) / 2])
    if turn == 0:
        return view, image_from_view
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    linear = np.array([[c, s], [-s, c]])
    old = np.array([view.shape[1], view.shape[0]])
    new = np.rint(np.abs(linear) @ old).astype(int)
    view_from_turned = np.column_stack([linear, (old - 1) / 2 - linear @ ((new - 1) / 2)])
    turned = cv2.warpAffine(
        view,
        view_from_turned,
        (int(new[0]), int(new[1])),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    image_from_turned = image_from_view[:, :2] @ view_from_turned
    image_from_turned[:, 2] += image_from_view[:, 2]
    return np.asarray(turned, np.uint8), image_from_turned


def carry(points: Points, affine: NDArray[np.floating]) -> Points:
    """Points through a (2, 3) similarity; z takes its scale."""
    scale = np.sqrt(abs(np.linalg.det(affine[:, :2])))
    xy = points[:, :2] @ affine[:, :2].T + affine[:, 2]
    return np.column_stack([xy, points[:, 2] * scale]).astype(np.float32)


def _starts(length: int, window: int) -> list[int]:
    """Where windows begin along an axis, evenly and with at least `OVERLAP`."""
    steps = int(np.ceil(max(0, length - window) / (window * (1 - OVERLAP))))
    return np.linspace(0, max(0, length - window), steps + 1).round().astype(int).tolist()


def window_count(image: Image, window: int) -> int:
    """How many windows of a side `windows` makes of an image."""
    return len(_starts(image.shape[0], window)) * len(_starts(image.shape[1], window))


def windows(view: Image, window: int) -> Iterator[tuple[int, int, Image]]:
    """Left and top of each square window of side `window`, and its pixels."""
    for y in _starts(view.shape[0], window):
        for x in _starts(view.shape[1], window):
            yield x, y, view[y : y + window, x : x + window]


def is_cut(seen: Points, x: int, y: int, part: Image, view: Image) -> bool:
    """Whether a face in a window crosses a side of it behind which the view goes on."""
    (left, top), (right, bottom) = seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)
    height, width = part.shape[:2]
    return bool(
        (left < 0 and x > 0)
        or (top < 0 and y > 0)
        or (right >= width and x + width < view.shape[1])
        or (bottom >= height and y + height < view.shape[0])
    )


def cover(view: Image, points: Points) -> None:
    """Cover a known face, so that it is not found and paid for again."""
    hull = cv2.convexHull(points[:, :2].round().astype(np.int32))
    cv2.fillConvexPoly(view, hull, (128, 128, 128))
