"""Finding faces: several, small or turned, with their 478 points and the region to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.geometry.camera import CROP_SIZE, RoiBox
from backend.vision.crop import crop
from backend.vision.landmarker import Landmarker
from backend.vision.roi import lean, roi_box_from_points

Image = NDArray[np.uint8]
Points = NDArray[np.float32]

# The detector finds a face when its height is at least this part of the window's side.
SMALLEST_IN_WINDOW = 0.13
# Faces less than this part as high as the largest one are bystanders.
SMALLEST_TO_LARGEST = 0.5
# Smaller windows would show faces too coarse to reconstruct, and more windows of one size would
# take longer than people like to wait to hear that there is no face.
MIN_WINDOW = 256
MAX_WINDOWS = 150
OVERLAP = 0.35
OVERVIEW_PIXELS = 1280
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
        self._confirmer = Landmarker(model_path, CLOSE_LOOK_CONFIDENCE)
        self._doubter = Landmarker(model_path, *LAST_RESORT_CONFIDENCE)

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
        window = max(image.shape[:2])
        found: list[Points] = []
        turn = 0.0
        for trial in ALL_TURNS:
            found = self._overview(image, trial)
            if found:
                turn = trial
                break
        while window > MIN_WINDOW and _smaller_faces_matter(found, window):
            window = max(window // 2, MIN_WINDOW)
            if _count(image, window) > MAX_WINDOWS:
                break
            found += self._windows(image, window, turn, found)
        if not found:
            for turn in QUARTER_TURNS:
                found += self._windows(image, max(image.shape[:2]) // 2, turn, found)
        if not found:
            found = self._last_resort(image)
        detections = [Detection(roi_box_from_points(points), points) for points in found]
        return sorted(detections, key=lambda detection: detection.roi_box.x)

    def _overview(self, image: Image, turn: float) -> list[Points]:
        """Faces of the whole image, shrunk if it is large, turned clockwise by `turn` degrees."""
        scale = min(1.0, OVERVIEW_PIXELS / max(image.shape[:2]))
        view, image_from_view = _view(image, scale, turn)
        found: list[Points] = []
        for seen in self._seeker.points(view):
            points = _carry(seen, image_from_view)
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
        view, image_from_view = _view(image, scale, turn)
        view_from_image = np.asarray(cv2.invertAffineTransform(image_from_view), np.float64)
        for points in known:
            _hide(view, _carry(points, view_from_image))
        found: list[Points] = []
        for x, y, part in _parts(view, round(window * scale)):
            for seen in self._seeker.points(part):
                if _is_cut(seen, x, y, part, view):
                    continue
                seen[:, :2] += (x, y)
                points = self._close_look(image, _carry(seen, image_from_view))
                if points is not None and not _is_known(points, known + found):
                    found.append(points)
                    _hide(view, seen)
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


def _faces_in(image: Image, region: RoiBox, pixels: int, landmarker: Landmarker) -> list[Points]:
    """Faces that `landmarker` sees in a region shown with so many pixels a side."""
    image_from_crop = region.image_from_crop
    image_from_crop[:, :2] *= CROP_SIZE / pixels
    return [
        _carry(seen, image_from_crop) for seen in landmarker.points(crop(image, region, pixels))
    ]


def _smaller_faces_matter(found: list[Points], window: int) -> bool:
    if not found:
        return True
    largest = max(_height(points) for points in found)
    return largest * SMALLEST_TO_LARGEST < window * SMALLEST_IN_WINDOW


def _view(image: Image, scale: float, turn: float) -> tuple[Image, NDArray[np.float64]]:
    """Shrunk and then turned image, and the (2, 3) affine map from its pixels to the image's."""
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


def _carry(points: Points, affine: NDArray[np.floating]) -> Points:
    """Points through a (2, 3) similarity; z takes its scale."""
    scale = np.sqrt(abs(np.linalg.det(affine[:, :2])))
    xy = points[:, :2] @ affine[:, :2].T + affine[:, 2]
    return np.column_stack([xy, points[:, 2] * scale]).astype(np.float32)


def _starts(length: int, window: int) -> list[int]:
    """Where windows begin along an axis, evenly and with at least `OVERLAP`."""
    steps = int(np.ceil(max(0, length - window) / (window * (1 - OVERLAP))))
    return np.linspace(0, max(0, length - window), steps + 1).round().astype(int).tolist()


def _count(image: Image, window: int) -> int:
    return len(_starts(image.shape[0], window)) * len(_starts(image.shape[1], window))


def _parts(view: Image, window: int) -> Iterator[tuple[int, int, Image]]:
    for y in _starts(view.shape[0], window):
        for x in _starts(view.shape[1], window):
            yield x, y, view[y : y + window, x : x + window]


def _is_cut(seen: Points, x: int, y: int, part: Image, view: Image) -> bool:
    """Whether a face in a window crosses a side of it behind which the view goes on."""
    (left, top), (right, bottom) = seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)
    height, width = part.shape[:2]
    return bool(
        (left < 0 and x > 0)
        or (top < 0 and y > 0)
        or (right >= width and x + width < view.shape[1])
        or (bottom >= height and y + height < view.shape[0])
    )


def _hide(view: Image, points: Points) -> None:
    """Cover a known face, so that it is not found and paid for again."""
    hull = cv2.convexHull(points[:, :2].round().astype(np.int32))
    cv2.fillConvexPoly(view, hull, (128, 128, 128))


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
