"""The photo's colours, carried onto the texture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.texture.filters import sample
from backend.texture.uv_map import UvMap

Float = NDArray[np.float32]

# Texture texels per photo pixel below which the photo is shrunk before it is sampled.
ALIASING_LIMIT = 0.75


def unwrap(photo: NDArray[np.uint8], vertices_image: Float, uv_map: UvMap) -> Float:
    """Sample the photo at the projection of every texel, seen or not.

    Parameters
    ----------
    photo
        (H, W, 3) RGB.
    vertices_image
        (V, 3) in the image frame.

    Returns
    -------
    (S, S, 3) float32 in [0, 1]. Outside of the photo its border goes on.
    """
    position = uv_map.spread(np.ascontiguousarray(vertices_image[:, :2]))
    crop, corner = _crop(photo, vertices_image)
    crop, scale = _shrink(crop, _texels_per_pixel(position, uv_map.inside))
    # Pixel centres are integers, so a shrunk pixel's centre lies between those that it covers.
    position -= corner
    position += 0.5
    position *= scale
    position -= 0.5
    sampled = sample(crop, position, cv2.INTER_CUBIC)
    sampled /= 255
    return sampled


def _crop(
    photo: NDArray[np.uint8], vertices_image: Float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the part of the photo around the head, and the position of its first pixel."""
    last = np.array(photo.shape[1::-1]) - 1
    low = np.clip(np.floor(vertices_image[:, :2].min(axis=0)) - 2, 0, last).astype(int)
    high = np.clip(np.ceil(vertices_image[:, :2].max(axis=0)) + 2, 0, last).astype(int)
    return photo[low[1] : high[1] + 1, low[0] : high[0] + 1], low.astype(np.float32)


def _texels_per_pixel(position: Float, inside: NDArray[np.bool_]) -> float:
    """Tell how finely, in the densest tenth of the chart, texels sample the photo."""
    some = np.flatnonzero(inside[:, 1:])[::7]
    row, column = np.divmod(some, inside.shape[1] - 1)
    step = np.linalg.norm(position[row, column + 1] - position[row, column], axis=1)
    return float(1 / max(np.percentile(step, 90), 1e-6))


def _shrink(
    picture: NDArray[np.uint8], texels_per_pixel: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Average the picture down to about the texture's resolution; the scale in x and y."""
    if texels_per_pixel >= ALIASING_LIMIT:
        return picture, np.ones(2, np.float32)
    height, width = picture.shape[:2]
    size = (max(1, round(width * texels_per_pixel)), max(1, round(height * texels_per_pixel)))
    shrunk = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return shrunk, (np.array(size) / [width, height]).astype(np.float32)
