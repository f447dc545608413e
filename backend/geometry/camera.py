"""Ways between the frames: crop <-> image, model -> Blender.

Image frame: pixels, x right, y down, centre of the top-left pixel at (0, 0), z to the viewer.
Crop frame: that of the 62 parameters (300W-LP): 120x120, y up, 1-based pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

CROP_SIZE = 120


@dataclass(frozen=True)
class RoiBox:
    """Square region of an image that the network sees, possibly turned.

    Attributes
    ----------
    x, y
        Its centre in image pixels.
    side
        Its side in image pixels.
    roll
        Degrees by which the square is turned, anticlockwise as seen: the crop shows a face
        upright that leans by this much to the image's left.
    """

    x: float
    y: float
    side: float
    roll: float = 0.0

    @classmethod
    def from_corners(cls, x0: float, y0: float, x1: float, y1: float) -> RoiBox:
        """Upright square around the centre of a box; its side is the mean of the box's."""
        return cls((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0 + y1 - y0) / 2)

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 of the square before it is turned."""
        half = self.side / 2
        return self.x - half, self.y - half, self.x + half, self.y + half

    @property
    def image_from_crop(self) -> Array:
        """(2, 3) affine map of crop pixels (0-based, y down) to image pixels.

        Pixel i of the crop lies at ``x0 + i * side / 120``, as in 3DDFA_V2.
        """
        step = self.side / CROP_SIZE
        c, s = np.cos(np.radians(self.roll)), np.sin(np.radians(self.roll))
        linear = step * np.array([[c, s], [-s, c]])
        centre = np.array([self.x, self.y])
        return np.column_stack([linear, centre - linear @ np.full(2, CROP_SIZE / 2)])


def image_from_crop_frame(points: Array, roi_box: RoiBox) -> Array:
    """Carry (N, 3) points of the crop frame into the image frame; z keeps the same scale."""
    affine = roi_box.image_from_crop.astype(points.dtype)
    pixels = np.stack([points[:, 0] - 1, CROP_SIZE - points[:, 1]], axis=1)
    z = points[:, 2:] * points.dtype.type(roi_box.side / CROP_SIZE)
    return np.concatenate([pixels @ affine[:, :2].T + affine[:, 2], z], axis=1)


def crop_frame_from_image(points: Array, roi_box: RoiBox) -> Array:
    """Inverse of `image_from_crop_frame`."""
    affine = roi_box.image_from_crop
    pixels = np.linalg.solve(affine[:, :2], (points[:, :2] - affine[:, 2]).T).T
    return np.column_stack(
        [pixels[:, 0] + 1, CROP_SIZE - pixels[:, 1], points[:, 2] * CROP_SIZE / roi_box.side]
    ).astype(points.dtype)


def roi_box_around(points: Array) -> RoiBox:
    """Upright box of the training convention: square around the points, side * sqrt(2)."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    x, y = (low + high) / 2
    return RoiBox(float(x), float(y), float((high - low).max() * np.sqrt(2)))


def blender_from_model(vertices: Array) -> Array:
    """Millimetres of the model frame to metres, Z up, the face looking along -Y."""
    metres = vertices * vertices.dtype.type(0.001)
    return np.stack([metres[..., 0], -metres[..., 2], metres[..., 1]], axis=-1)


def turn_upright(parameters: Array, roi_box: RoiBox) -> Array:
    """Parameters found in a turned crop, for the upright crop with the same centre and side.

    A rotation of the crop acts exactly on the 3x4 matrix. (62,) -> (62,).
    """
    c, s = np.cos(np.radians(roi_box.roll)), np.sin(np.radians(roi_box.roll))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    matrix = parameters[:12].reshape(3, 4)
    # The middle of the crop in the y-up, 1-based crop frame.
    centre = np.array([CROP_SIZE / 2 + 1, CROP_SIZE / 2, 0])
    translation = turn @ (matrix[:, 3] - centre) + centre
    turned = np.column_stack([turn @ matrix[:, :3], translation])
    return np.concatenate([turned.reshape(-1), parameters[12:]]).astype(parameters.dtype)
