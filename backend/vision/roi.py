"""From MediaPipe's points to the region of the image that SynergyNet was trained to see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.geometry.camera import RoiBox

# Indices of MediaPipe's face mesh; left and right are the image's.
FOREHEAD, CHIN = 10, 152
EYE_LEFT, EYE_RIGHT = 33, 263
MOUTH_LEFT, MOUTH_RIGHT = 61, 291
# The lower half of its face oval from ear to ear, and the upper edge of both brows: the outline
# that the 68 landmarks have.
JAW = (127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152,
       377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356)  # fmt: skip
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)

# Side of the 68 landmarks' box over the side of ours, times the training's margin sqrt(2).
SIDE_RATIO = 1.062 * np.sqrt(2)


def lean(points: NDArray[np.floating]) -> float:
    """Degrees by which a face leans to the image's left, anticlockwise as seen.

    The direction of the axis from chin to forehead, half corrected to be perpendicular in space to
    the line of eyes and mouth: from the front both say the same, and in profile, where that line
    points at the viewer, the correction vanishes.

    Against the roll of 3,594 fitted poses the difference is 0.1 +- 1.7 degrees (yaw below 15:
    1.3, beyond 30: 3.1; the axis alone 1.8, the perpendicular alone 2.0).

    Parameters
    ----------
    points
        (478, 3), x right, y down, z to the viewer.
    """
    right = _unit(points[EYE_RIGHT] - points[EYE_LEFT])
    right = _unit(right + _unit(points[MOUTH_RIGHT] - points[MOUTH_LEFT]))
    up = _unit(points[FOREHEAD] - points[CHIN])
    up = up - 0.5 * np.dot(up, right) * right
    return float(np.degrees(np.arctan2(-up[0], -up[1])))


def roi_box_from_points(points: NDArray[np.floating]) -> RoiBox:
    """Region around a face by the training's convention, turned with the face.

    The convention is the square around the box of the 68 annotated landmarks, sqrt(2) times as
    large. MediaPipe's outline comes close to that box; `SIDE_RATIO` was calibrated on 3,594
    annotated frames turned upright. What is left, in parts of the box's side: place
    x 0.004 +- 0.014, y -0.001 +- 0.011; side ratio 1.001 +- 0.045; with hardly a trend over yaw.

    Parameters
    ----------
    points
        (478, 3), x right, y down in image pixels, z to the viewer.
    """
    roll = lean(points)
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    upright_from_image = np.array([[c, -s], [s, c]])
    outline = points[[*JAW, *BROWS], :2] @ upright_from_image.T
    low, high = outline.min(axis=0), outline.max(axis=0)
    side = float((high - low).max())
    x, y = (low + high) / 2 @ upright_from_image
    return RoiBox(float(x), float(y), side * float(SIDE_RATIO), roll)


def _unit(vector: NDArray[np.floating]) -> NDArray[np.floating]:
    return vector / np.maximum(np.linalg.norm(vector), 1e-9)
