"""How well a photo shows each vertex of a head."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.geometry.normals import vertex_normals
from backend.geometry.rasterizer import rasterize
from backend.morphable_model.model import MorphableModel
from backend.texture.filters import disk, outside, smoothstep

Float = NDArray[np.float32]

# Pixels on the longer side of the picture in which visibility is decided.
RESOLUTION = 384
# Shares of the head's size. A fitted head is off by about one percent here and there, so what
# lies within that of an outline may show what is behind it.
OUTLINE_MARGIN = 0.015
OUTLINE_FEATHER = 0.040
DEPTH_BIAS = 0.012
PART_MARGIN = 0.010
# What lies this far in front, beside a vertex, is another part of the face (a nose, not a lip).
OTHER_PART = 0.035
# Cosine of the angle to the viewer from which a surface begins to be sampled, and fully is.
# Stricter, and the folds of the eyelids would count as half hidden.
GRAZING, FACING = 0.10, 0.40
# Cosine as a share of the other half's up to which that half is preferred, and from which not.
WORSE_HALF = 0.4, 0.7
# Sine of the yaw from which a head counts as turned, so that this matters, and fully does.
TURNED = 0.22, 0.42


def visibility(vertices_image: Float, model: MorphableModel, photo_size: tuple[int, int]) -> Float:
    """Return the weight with which each vertex may be coloured from the photo.

    Parameters
    ----------
    vertices_image
        (V, 3) in the image frame.
    photo_size
        Height and width of the photo in pixels.

    Returns
    -------
    (V,) float32 from 0 (hidden, turned away, outside of the photo, at an outline, or much
    better seen on the other half of the face) to 1.
    """
    low, high = vertices_image.min(axis=0), vertices_image.max(axis=0)
    scale = np.float32((RESOLUTION - 1) / (high - low)[:2].max())
    local = (vertices_image - low) * scale
    width, height = (np.ceil(local[:, :2].max(axis=0)).astype(int) + 1).tolist()

    # In the image frame y points down, so normals come out inwards.
    normals = -vertex_normals(local, model.triangles)
    fragments = rasterize(local, model.triangles, height, width)
    seen = (
        smoothstep(GRAZING, FACING, normals[:, 2])
        * _not_behind(local, normals, fragments.depth)
        * _away_from_outline(local, fragments.covered)
        * _inside_photo(vertices_image, photo_size, 1 / float(scale))
    )
    return seen * _better_than_other_half(seen, normals, local, model)


def _better_than_other_half(
    seen: Float, normals: Float, local: Float, model: MorphableModel
) -> Float:
    """Falls where a turned head shows the same place on its other side far more squarely.

    In a three-quarter view the far cheek is thin and close to the background, and a small error
    of the fit carries that onto it; the near cheek shows the same in full.
    """
    left = model.mean[:, 0] > 0
    across = (local[left] - local[model.mirror_indices[left]]).sum(axis=0)
    turned = smoothstep(*TURNED, np.abs(across[2:]) / np.linalg.norm(across))
    facing = np.maximum(normals[:, 2], 0)
    other = np.maximum((seen * facing)[model.mirror_indices], np.float32(1e-6))
    return 1 - turned * (1 - smoothstep(*WORSE_HALF, facing / other))


def _not_behind(local: Float, normals: Float, depth: Float) -> Float:
    """Return 0 for vertices that something in front hides, or nearly hides."""
    # A slanted surface rises by itself within a pixel, or within the reach of the kernel.
    slope = np.sqrt(np.clip(1 - normals[:, 2] ** 2, 0, 1)) / np.maximum(normals[:, 2], 0.2)
    behind = (_at(depth, local) - local[:, 2]) / (DEPTH_BIAS * RESOLUTION + slope)

    reach = round(PART_MARGIN * RESOLUTION)
    background = np.float32(np.finfo(np.float32).min)
    nearest = np.asarray(cv2.dilate(np.maximum(depth, background), disk(reach)))
    allowed = OTHER_PART * RESOLUTION + (reach + 1) * slope
    beside = (_at(nearest, local) - local[:, 2]) / allowed
    return 1 - smoothstep(1.0, 1.5, np.maximum(behind, beside))


def _away_from_outline(local: Float, covered: NDArray[np.bool_]) -> Float:
    """Rises from 0 at the head's outline to 1 inside; the mouth's slit is no outline."""
    padded = np.pad(~outside(covered), 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    margin, feather = OUTLINE_MARGIN * RESOLUTION, OUTLINE_FEATHER * RESOLUTION
    return smoothstep(margin, margin + feather, _at(np.asarray(distance), local))


def _inside_photo(vertices_image: Float, photo_size: tuple[int, int], unit: float) -> Float:
    """Rises from 0 at the photo's border to 1 a few percent of the head further in."""
    last = np.array(photo_size[::-1], np.float32) - 1
    xy = vertices_image[:, :2]
    distance = np.minimum(xy, last - xy).min(axis=1)
    return smoothstep(0, OUTLINE_FEATHER * RESOLUTION * unit, distance)


def _at(picture: NDArray[np.generic], local: Float) -> Float:
    """Return (V,) value of the pixel that holds each vertex."""
    x, y = np.round(local[:, :2]).astype(np.intp).T
    return np.asarray(picture[y, x], np.float32)
