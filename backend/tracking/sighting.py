"""One look of the network at a face in a frame, and how far it is to be believed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.engines.engine import Engine
from backend.geometry.pose import euler_angles
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.parameters import FaceParameters
from backend.vision.crop import crop
from backend.vision.roi import lean_of_pose, roi_box_from_landmarks

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

# Largest over smallest stretch of the pose's matrix at which nothing is believed.
#
# The network gives nine free numbers for it, and only for a face do they come out as a rotation
# times a scale. Quotients of 1,200 annotated faces: median 1.02, 99th percentile 1.08 below 20
# degrees of yaw, 1.11 to 60 degrees; of background: 1st percentile 1.21, median 1.8; of a black
# frame 3.0. A face of which the lower half is covered: 1.05, of which three quarters are: 1.5.
NO_ROTATION = 1.25
# Share of the landmarks inside of the picture up to which nothing is believed, and from which all.
OUTSIDE, INSIDE = 0.4, 0.9
# Colours of a face: of so many squares on a side, of the inner part of its crop.
SQUARES, INNER = 8, slice(20, 100)


@dataclass(frozen=True)
class Sighting:
    """A face in one frame.

    Attributes
    ----------
    roi_box
        Where the network looked; turned with a face that leans.
    parameters
        (62,) float32 in the crop frame of the turned `roi_box`.
    landmarks
        (68, 3) float32 in the image frame: the refined ones.
    next_box
        Where to look in the next frame.
    yaw
        Degrees.
    confidence
        From 0, no face, to 1.
    sharpness
        Variance of the crop's second derivative, in squared grey levels.
    colors
        (192,) uint8, L*a*b* as OpenCV codes it, of the inner part of the crop in 8x8 squares.
    """

    roi_box: RoiBox
    parameters: Float
    landmarks: Float
    next_box: RoiBox
    yaw: float
    confidence: float
    sharpness: float
    colors: NDArray[np.uint8]

    @property
    def upright(self) -> Float:
        """(62,) parameters in the crop frame of `roi_box` turned upright."""
        return FaceParameters(self.parameters).upright(self.roi_box).numbers


def look(image: Image, roi_boxes: list[RoiBox], engine: Engine) -> list[Sighting]:
    """Look at regions of a frame, at all of them at once.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    """
    if not roi_boxes:
        return []
    crops = np.stack([crop(image, box) for box in roi_boxes])
    output = engine.run(crops)
    sightings = [
        _sighting(picture, box, output.parameters[i], output.refined[i])
        for i, (picture, box) in enumerate(zip(crops, roi_boxes, strict=True))
    ]
    return [
        replace(s, confidence=s.confidence * within(s.landmarks, *image.shape[:2]))
        for s in sightings
    ]


def rigidity(parameters: Float) -> float:
    """How near the pose's matrix is to a rotation times a scale: 1 it is one, 0 no face."""
    stretch = np.linalg.svd(FaceParameters(parameters).matrix[:, :3], compute_uv=False)
    if stretch[2] < 1e-12:
        return 0.0
    return float(np.clip(1 - np.log(stretch[0] / stretch[2]) / np.log(NO_ROTATION), 0, 1))


def within(landmarks: Float, height: int, width: int) -> float:
    """How far a face is inside of the picture: 1 wholly, 0 for the most part not."""
    last = np.array([width, height]) - 1
    share = np.mean(((landmarks[:, :2] >= 0) & (landmarks[:, :2] <= last)).all(axis=1))
    return float(np.clip((share - OUTSIDE) / (INSIDE - OUTSIDE), 0, 1))


def overlap(a: RoiBox, b: RoiBox) -> float:
    """Shared part of two boxes' area, turns left aside (intersection over union)."""
    ax0, ay0, ax1, ay1 = a.corners
    bx0, by0, bx1, by1 = b.corners
    shared = max(0.0, min(ax1, bx1) - max(ax0, bx0)) * max(0.0, min(ay1, by1) - max(ay0, by0))
    return shared / (a.side**2 + b.side**2 - shared)


def _sighting(picture: Image, box: RoiBox, parameters: Float, refined: Float) -> Sighting:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    lab = cv2.cvtColor(picture[INNER, INNER], cv2.COLOR_RGB2LAB)
    squares = cv2.resize(lab, (SQUARES, SQUARES), interpolation=cv2.INTER_AREA)
    yaw = float(euler_angles(FaceParameters(parameters).pose.rotation)[0])
    return Sighting(
        roi_box=box,
        parameters=parameters,
        landmarks=box.to_image(refined),
        next_box=roi_box_from_landmarks(refined, box, lean_of_pose(parameters)),
        yaw=yaw,
        confidence=rigidity(parameters),
        sharpness=float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        colors=np.asarray(squares, np.uint8).reshape(-1),
    )
