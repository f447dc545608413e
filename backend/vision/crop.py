"""The 120x120 picture that the network sees."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.boxes import CROP_SIZE, RoiBox


def crop(image: NDArray[np.uint8], roi_box: RoiBox, size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """Cut out a square region of an image, turned upright.

    Pixel (i, j) of the crop shows the place to which `RoiBox.image_from_crop` carries
    ``(i, j) * 120 / size``. A region larger than the crop is averaged before it is sampled, in
    whole blocks of pixels whose side is the nearest integer to the reduction, so that detail finer
    than the crop does not alias. What lies outside the image is black.

    Parameters
    ----------
    image
        (H, W, 3) uint8.
    roi_box
        The region, in image pixels.
    size
        Side of the crop in pixels.

    Returns
    -------
    (size, size, 3) uint8.
    """
    image_from_crop = roi_box.image_from_crop
    image_from_crop[:, :2] *= CROP_SIZE / size
    # Blocks larger than the image would be made of the black around it, at any cost of memory.
    block = max(1, min(round(roi_box.side / size), *image.shape[:2]))
    x0, y0, patch = _patch(image, image_from_crop, size, block)
    if patch.size == 0:
        return np.zeros((size, size, 3), np.uint8)
    if block > 1:
        reduced = (patch.shape[1] // block, patch.shape[0] // block)
        patch = cv2.resize(patch, reduced, interpolation=cv2.INTER_AREA)
    # The middle of block k lies at pixel block * k + (block - 1) / 2 of the patch.
    first_middle = np.array([x0, y0]) + (block - 1) / 2
    patch_from_crop = np.column_stack(
        [image_from_crop[:, :2] / block, (image_from_crop[:, 2] - first_middle) / block]
    )
    sampled = cv2.warpAffine(
        patch,
        patch_from_crop,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return np.asarray(sampled, np.uint8)


def _patch(
    image: NDArray[np.uint8], image_from_crop: NDArray[np.floating], size: int, block: int
) -> tuple[int, int, NDArray[np.uint8]]:
    """Origin and pixels of the image part that the crop needs, in whole blocks."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [size - 1, 0], [0, size - 1], [size - 1, size - 1]])
    reach = corners @ image_from_crop[:, :2].T + image_from_crop[:, 2]
    low = np.floor(reach.min(axis=0)).astype(int) - block
    high = np.ceil(reach.max(axis=0)).astype(int) + block + 1
    x0, y0 = np.clip(low, 0, [width, height])
    x1, y1 = np.clip(high, 0, [width, height])
    patch = image[y0:y1, x0:x1]
    if patch.size and block > 1:
        bottom, right = -patch.shape[0] % block, -patch.shape[1] % block
        patch = cv2.copyMakeBorder(patch, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
    return int(x0), int(y0), np.asarray(patch, np.uint8)
