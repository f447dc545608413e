"""From points of a face to the region of the image that SynergyNet was trained to see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.boxes import CROP_SIZE, RoiBox
from backend.morphable_model.parameters import FaceParameters

# Indices of MediaPipe's face mesh; left and right are the image's.
FOREHEAD, CHIN = 10, 152
EYE_LEFT, EYE_RIGHT = 33, 263
MOUTH_LEFT, MOUTH_RIGHT = 61, 291
# The lower half of its face oval from ear to ear, and the upper edge of both brows: the outline
# that the 68 landmarks have.
JAW = (127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152,
       377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356)  # fmt: skip
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)

# Both irises, the tip of the nose and the corners of the mouth: what CenterFace gives of a face.
FIVE_POINTS = (468, 473, 4, MOUTH_LEFT, MOUTH_RIGHT)

# Side of the 68 landmarks' box over the side of ours, times the training's margin sqrt(2).
SIDE_RATIO = 1.062 * np.sqrt(2)
# Where the region's middle lies below that of CenterFace's box, and its side, in parts of the box.
FIVE_SHIFT, FIVE_SIDE = 0.09, 1.19
# Degrees by which a face may lean in its crop before the crop is turned with it.
LEAN = 10.0
# A second look is worth its time where the first one shows that its region was off by more than
# these parts of its side, in place and (as a logarithm) size, or turned by more than `LEAN`. Those
# from MediaPipe's points of 200 frontal faces never were. To look at all turned heads twice does
# not pay: of 119 real profiles the error was 4.9 % by one look and 5.0 % by two.
OFF_PLACE, OFF_SIZE = 0.06, 0.15


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


def lean_of_five(points: NDArray[np.floating]) -> float:
    """Degrees by which a face leans to the image's left, by the line from its mouth to its eyes.

    Against the network's pose after several looks the difference is 0 +- 2 degrees for faces that
    look at the camera, and 7 degrees in the median of real profiles.

    Parameters
    ----------
    points
        (5, 2) or (5, 3): eyes, tip of the nose, corners of the mouth; x right, y down.
    """
    up = points[:2].mean(axis=0) - points[3:].mean(axis=0)
    return float(np.degrees(np.arctan2(-up[0], -up[1])))


def roi_box_from_five(
    centre: NDArray[np.floating], size: float, points: NDArray[np.floating]
) -> RoiBox:
    """Region around a face of which a box and five points are known, turned with the face.

    Calibrated on 400 faces, half of them real profiles, against the regions to which the network's
    own landmarks lead after four looks. What is left, in parts of the box's side: place
    0.03 +- 0.04; side ratio 1.0 +- 0.1. A second look of the network mends that.

    Parameters
    ----------
    centre
        (2,) middle of the face's box, which reaches from forehead to chin, in image pixels.
    size
        The longer side of that box.
    points
        (5, 2): eyes, tip of the nose, corners of the mouth.
    """
    roll = lean_of_five(points)
    down = np.array([np.sin(np.radians(roll)), np.cos(np.radians(roll))])
    x, y = centre + FIVE_SHIFT * size * down
    return RoiBox(float(x), float(y), FIVE_SIDE * float(size), roll)


def lean_of_pose(parameters: NDArray[np.floating]) -> float:
    """Degrees by which a head leans in its crop to the left, anticlockwise as seen.

    The direction of its own upward axis in the picture. For a head that looks at the camera that is
    its roll; of one in profile the roll says little, because there it and pitch turn about the same
    axis.

    Parameters
    ----------
    parameters
        (62,), of which the first 12 are the pose.
    """
    up = FaceParameters(parameters).pose.rotation[:, 1]
    return float(np.degrees(np.arctan2(-up[0], up[1])))


def roi_box_from_landmarks(landmarks: NDArray[np.floating], seen_in: RoiBox, lean: float) -> RoiBox:
    """Region by the training's convention around the network's landmarks of a face.

    Parameters
    ----------
    landmarks
        (68, 3) in the crop frame of `seen_in`.
    lean
        Of the head in that crop; see `lean_of_pose`. The region keeps its turn unless that is more
        than `LEAN`.
    """
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    middle = np.array([[*(low + high) / 2, 0]], np.float32)
    x, y, _ = seen_in.to_image(middle)[0]
    side = float((high - low).max()) * np.sqrt(2) * seen_in.side / CROP_SIZE
    turn = seen_in.roll + lean if abs(lean) > LEAN else seen_in.roll
    return RoiBox(float(x), float(y), float(side), (turn + 180) % 360 - 180)


def second_look(
    parameters: NDArray[np.floating], landmarks: NDArray[np.floating], seen_in: RoiBox
) -> RoiBox | None:
    """Where to look at a face of a photo again; None if it is not worth it.

    Parameters
    ----------
    parameters
        (62,) that the network gave in the first look at `seen_in`.
    landmarks
        (68, 3) that it gave, in the crop frame.
    """
    leaning = lean_of_pose(parameters)
    box = roi_box_from_landmarks(landmarks, seen_in, leaning)
    moved = np.hypot(box.x - seen_in.x, box.y - seen_in.y) / seen_in.side
    grown = abs(np.log(max(box.side, 1e-9) / seen_in.side))
    off = moved > OFF_PLACE or grown > OFF_SIZE or abs(leaning) > LEAN
    return box if off else None


def _unit(vector: NDArray[np.floating]) -> NDArray[np.floating]:
    return vector / np.maximum(np.linalg.norm(vector), 1e-9)
