"""Finding faces: several, small or turned, with their 478 points and the region to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from backend.geometry.camera import CROP_SIZE, RoiBox
from backend.vision.crop import crop
from backend.vision.landmarker import Landmarker, LandmarkerOnDemand
from backend.vision.roi import lean, roi_box_from_points
from backend.vision.views import (
    Image,
    Points,
    carry,
    cover,
    is_cut,
    shrunk_and_turned,
    window_count,
    windows,
)

# The detector finds a face when its height is at least this part of the window's side.
SMALLEST_IN_WINDOW = 0.13
# Faces less than this part as high as the largest one are bystanders.
SMALLEST_TO_LARGEST = 0.5
# Smaller windows would show faces too coarse to reconstruct, and more windows of one size would
# take longer than people like to wait to hear that there is no face.
MIN_WINDOW = 256
MAX_WINDOWS = 150
OVERVIEW_PIXELS = 1280
GLANCE_PIXELS = 640
WINDOW_PIXELS = 256
QUARTER_TURNS = (90.0, 270.0, 180.0)
ALL_TURNS = (0.0, *QUARTER_TURNS, 45.0, 315.0, 135.0, 225.0)

# A closer look is worth its time where the face leaned or was seen with fewer pixels than that.
CLOSE_LOOK_ROLL = 20.0
CLOSE_LOOK_HEIGHT = 200
CLOSE_LOOK_PIXELS = 384
CLOSE_LOOK_MARGIN = 1.6
CLOSE_LOOK_CONFIDENCE = 0.7
# Profiles and blurred faces score low. Nothing else having been found, scores as low as these
# count, with some space around the picture (finds 7 of 15 difficult frames, otherwise 4 to 6).
LAST_RESORT_CONFIDENCE = (0.4, 0.5)
LAST_RESORT_MARGIN = 1.5
LAST_RESORT_PIXELS = 640
# A face that seems to lean more than this in an upright view counts only if confirmed.
MAX_LEAN = 60.0


@dataclass(frozen=True)
class Detection:
    """A face in an image.

    Attributes
    ----------
    roi_box
        The region that SynergyNet looks at, by the training's convention; `roll` is the face's
        lean in the picture.
    points
        (478, 3) float32, MediaPipe's points: x right, y down in image pixels, z to the viewer in
        the same scale.
    """

    roi_box: RoiBox
    points: Points


class FaceDetector:
    """Finds faces by MediaPipe's FaceLandmarker, and where that finds none looks harder.

    MediaPipe alone misses faces lower than an eighth of the picture and faces that lean by more
    than about 60 degrees. So the whole picture is seen first, then turned; then ever smaller
    overlapping windows of it, until they would only show faces less than half as high as the
    largest one found, or lower than 33 pixels (65 in a photo of 12 megapixels). What turned or
    smaller windows show counts only if a look at the face itself, upright, confirms it. If still
    none is found, a face with low scores is taken.

    Calls may come from any thread; MediaPipe runs them one after the other.

    Parameters
    ----------
    model_path
        ``face_landmarker.task``.

    Raises
    ------
    MissingAssetError
        The model file or a system library is missing or cannot be used.
    """

    def __init__(self, model_path: Path) -> None:
        self._seeker = Landmarker(model_path)
        self._confirmer = LandmarkerOnDemand(model_path, CLOSE_LOOK_CONFIDENCE)
        self._doubter = LandmarkerOnDemand(model_path, *LAST_RESORT_CONFIDENCE)

    def close(self) -> None:
        """Free the detector's memory; closing twice does no harm."""
        self._seeker.close()
        self._confirmer.close()
        self._doubter.close()

    def __enter__(self) -> FaceDetector:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def detect(self, image: Image) -> list[Detection]:
        """Find the faces of an image.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.

        Returns
        -------
        Left to right; empty when there is none.
        """
        found, turn = self._search_overviews(image)
        found += self._search_windows(image, turn, found)
        found = found or self._search_turned_windows(image) or self._last_resort(image)
        return _detections(found)

    def glance(self, image: Image) -> list[Detection]:
        """Faces of an image that one quick look shows: upright ones higher than an eighth of it.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.

        Returns
        -------
        Left to right; their places are less exact than those of `detect`.
        """
        scale = min(1.0, GLANCE_PIXELS / max(image.shape[:2]))
        view, image_from_view = shrunk_and_turned(image, scale, 0)
        found = [carry(seen, image_from_view) for seen in self._seeker.points(view)]
        return _detections([points for points in found if abs(lean(points)) < MAX_LEAN])

    def _search_overviews(self, image: Image) -> tuple[list[Points], float]:
        """Faces of the whole image, and the first turn that shows any."""
        for turn in ALL_TURNS:
            found = self._overview(image, turn)
            if found:
                return found, turn
        return [], 0.0

    def _search_windows(self, image: Image, turn: float, known: list[Points]) -> list[Points]:
        """Further faces in smaller and smaller windows."""
        window = max(image.shape[:2])
        found: list[Points] = []
        while window > MIN_WINDOW and _smaller_faces_matter(known + found, window):
            window = max(window // 2, MIN_WINDOW)
            if window_count(image, window) > MAX_WINDOWS:
                break
            found += self._windows(image, window, turn, known + found)
        return found

    def _search_turned_windows(self, image: Image) -> list[Points]:
        """Faces in half as large windows of the image lying on a side or upside down."""
        found: list[Points] = []
        for turn in QUARTER_TURNS:
            found += self._windows(image, max(image.shape[:2]) // 2, turn, found)
        return found

    def _overview(self, image: Image, turn: float) -> list[Points]:
        """Faces of the whole image, shrunk if it is large, turned clockwise by `turn` degrees."""
        scale = min(1.0, OVERVIEW_PIXELS / max(image.shape[:2]))
        view, image_from_view = shrunk_and_turned(image, scale, turn)
        found: list[Points] = []
        for seen in self._seeker.points(view):
            points = carry(seen, image_from_view)
            roll = abs(lean(points))
            certain = turn == 0 and roll < MAX_LEAN
            sharp = scale == 1 or _height(seen) >= CLOSE_LOOK_HEIGHT
            if not (certain and sharp and roll < CLOSE_LOOK_ROLL):
                closer = self._close_look(image, points)
                if closer is None and not certain:
                    continue
                points = points if closer is None else closer
            if not _is_known(points, found):
                found.append(points)
        return found

    def _windows(self, image: Image, window: int, turn: float, known: list[Points]) -> list[Points]:
        """Faces not yet known, seen through overlapping square windows of the turned image."""
        scale = min(1.0, WINDOW_PIXELS / window)
        view, image_from_view = shrunk_and_turned(image, scale, turn)
        view_from_image = np.asarray(cv2.invertAffineTransform(image_from_view), np.float64)
        for points in known:
            cover(view, carry(points, view_from_image))
        found: list[Points] = []
        for x, y, part in windows(view, round(window * scale)):
            for seen in self._seeker.points(part):
                if is_cut(seen, x, y, part, view):
                    continue
                seen[:, :2] += (x, y)
                points = self._close_look(image, carry(seen, image_from_view))
                if points is not None and not _is_known(points, known + found):
                    found.append(points)
                    cover(view, seen)
        return found

    def _last_resort(self, image: Image) -> list[Points]:
        """The face of an upright picture that the detector is least unsure of, if there is one."""
        height, width = image.shape[:2]
        wide = RoiBox((width - 1) / 2, (height - 1) / 2, max(height, width) * LAST_RESORT_MARGIN)
        faces = _faces_in(image, wide, LAST_RESORT_PIXELS, self._doubter)
        return [points for points in faces if abs(lean(points)) < MAX_LEAN][:1]

    def _close_look(self, image: Image, points: Points) -> Points | None:
        """Points of the same face on an upright cut-out of it; None when no face is seen there."""
        roi_box = roi_box_from_points(points)
        near = RoiBox(roi_box.x, roi_box.y, roi_box.side * CLOSE_LOOK_MARGIN, roi_box.roll)
        faces = _faces_in(image, near, CLOSE_LOOK_PIXELS, self._confirmer)
        same = [face for face in faces if _is_known(face, [points])]
        if not same:
            return None
        middle = points[:, :2].mean(axis=0)
        return min(same, key=lambda face: float(np.hypot(*(face[:, :2].mean(axis=0) - middle))))


def _detections(found: list[Points]) -> list[Detection]:
    """Left to right."""
    detections = [Detection(roi_box_from_points(points), points) for points in found]
    return sorted(detections, key=lambda detection: detection.roi_box.x)


def _faces_in(
    image: Image, region: RoiBox, pixels: int, landmarker: LandmarkerOnDemand
) -> list[Points]:
    """Faces that `landmarker` sees in a region shown with so many pixels a side."""
    image_from_crop = region.image_from_crop
    image_from_crop[:, :2] *= CROP_SIZE / pixels
    return [carry(seen, image_from_crop) for seen in landmarker.points(crop(image, region, pixels))]


def _smaller_faces_matter(found: list[Points], window: int) -> bool:
    if not found:
        return True
    largest = max(_height(points) for points in found)
    return largest * SMALLEST_TO_LARGEST < window * SMALLEST_IN_WINDOW


def _height(points: Points) -> float:
    return float(np.ptp(points[:, :2], axis=0).max())


def _is_known(points: Points, known: list[Points]) -> bool:
    """Whether the box around the points covers more than half of another's, or is covered."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    for other in known:
        other_low, other_high = other[:, :2].min(axis=0), other[:, :2].max(axis=0)
        shared = np.clip(np.minimum(high, other_high) - np.maximum(low, other_low), 0, None)
        smaller = min(np.prod(high - low), np.prod(other_high - other_low))
        if np.prod(shared) > 0.5 * smaller:
            return True
    return False
