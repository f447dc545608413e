"""Looking at an image shrunk and turned, and carrying points back from there."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Points = NDArray[np.float32]


def shrunk_and_turned(image: Image, scale: float, turn: float) -> tuple[Image, NDArray[np.float64]]:
    """Show an image shrunk and turned clockwise by degrees, whole.

    Returns
    -------
    The view, which is the image itself if there is nothing to do, and the (2, 3) affine map from
    its pixels to the image's.
    """
    height, width = image.shape[:2]
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        view = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    else:
        view = image
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
    """Carry points through a (2, 3) similarity; z takes its scale."""
    scale = np.sqrt(abs(np.linalg.det(affine[:, :2])))
    xy = points[:, :2] @ affine[:, :2].T + affine[:, 2]
    return np.column_stack([xy, points[:, 2] * scale]).astype(np.float32)
