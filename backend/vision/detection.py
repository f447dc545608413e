"""Finding faces: several, small, turned away or upside down, and the region to look at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from backend.morphable_model.boxes import CROP_SIZE, RoiBox
from backend.vision.centerface import Candidate
from backend.vision.crop import crop
from backend.vision.finder import SMALLEST, SURE, FaceFinder, is_known
from backend.vision.landmarker import FilmLandmarker, Landmarker
from backend.vision.roi import FIVE_POINTS, lean, roi_box_from_five, roi_box_from_points
from backend.vision.views import Image, Points, carry, shrunk_and_turned

FINDER_FILE = "centerface.onnx"
# What those are told whose picture shows no face.
LOOKED_FOR = (
    f"Faces at least {SMALLEST} pixels high (in large pictures an eightieth of the longer side) "
    "were looked for, from the front and in profile, turned by any angle. Use a picture that shows "
    "an eye, the nose and the mouth."
)
OVERVIEW_PIXELS = 1280
# Mean distance of MediaPipe's eyes, nose and mouth corners from CenterFace's, in parts of the
# face's height, up to which both have seen the same. Right readings of 106 portraits: at most
# 0.057; of 234 upside-down faces that MediaPipe took for upright ones, none below 0.12 with a
# score above 0.5.
ALIKE = 0.12
# CenterFace having told which side is up, MediaPipe's reading of that face alone may differ by
# more, but not by the fifth of a face that is a wrong guess.
ALIKE_CLOSE = 0.16
# A closer look is worth its time where the face leaned, or was seen with fewer pixels than these.
CLOSE_LOOK_ROLL = 20.0
CLOSE_LOOK_HEIGHT = 200
CLOSE_LOOK_PIXELS = 384
CLOSE_LOOK_MARGIN = 1.6


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
        the same scale. None where it could not read the face, as in many profiles: then `roi_box`
        comes from five points, and a second look of the network betters it.
    """

    roi_box: RoiBox
    points: Points | None


class FaceDetector:
    """Finds faces by two networks that check each other.

    MediaPipe's FaceLandmarker reads upright faces of some size quickly and exactly, but misses
    profiles and small faces, and takes upside-down faces for upright ones. CenterFace finds nearly
    all faces, but says no more of them than five points. So both look at the whole image at the
    same time. A face that both see alike is believed at once. Any other one is believed when
    CenterFace, looking at it closely and turned by quarters, is sure of it; then MediaPipe looks
    at it again, upright and large. Smaller faces, or where there is none, any, are found by
    CenterFace in finer and turned views.

    Calls may come from any thread; MediaPipe runs them one after the other.

    Parameters
    ----------
    model_path
        ``face_landmarker.task``.
    finder_path
        ``centerface.onnx``; by default the one beside `model_path`.

    Raises
    ------
    MissingAssetError
        A model file or a system library is missing or cannot be used.
    """

    def __init__(self, model_path: Path, finder_path: Path | None = None) -> None:
        self._model_path = model_path
        self._reader = Landmarker(model_path)
        self._finder = FaceFinder(finder_path or model_path.with_name(FINDER_FILE))

    def film(self) -> FilmLandmarker:
        """What reads the points of one face through a film; close it by letting it go."""
        return FilmLandmarker(self._model_path)

    def close(self) -> None:
        """Free the detector's memory; closing twice does no harm."""
        self._reader.close()

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
        seen, readings = self._first_sight(image)
        read = [_five_of(reading.points) for reading in readings]
        found = [
            face
            for face in seen
            if face.score >= SURE and any(_apart(five, face) < ALIKE for five in read)
        ]
        doubted = seen + [face for face in read if not is_known(face, seen)]
        found += self._finder.believed(image, doubted, found)
        found += self._finder.further(image, found)
        return _ordered([self._detection(image, face, readings) for face in found])

    def glance(self, image: Image) -> list[Detection]:
        """Faces of an image that one quick look shows: those higher than a tenth of it.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.

        Returns
        -------
        Left to right, without points.
        """
        return _ordered([Detection(_region(face), None) for face in self._finder.glance(image)])

    def _first_sight(self, image: Image) -> tuple[list[Candidate], list[_Reading]]:
        """What may be faces, and what MediaPipe reads in the whole image, at the same time."""
        with ThreadPoolExecutor(1) as beside:
            seen = beside.submit(self._finder.first_sight, image)
            readings = self._overview(image)
            return seen.result(), readings

    def _overview(self, image: Image) -> list[_Reading]:
        scale = min(1.0, OVERVIEW_PIXELS / max(image.shape[:2]))
        view, image_from_view = shrunk_and_turned(image, scale, 0)
        return [
            _Reading(
                carry(seen, image_from_view),
                (scale == 1 or _height(seen) >= CLOSE_LOOK_HEIGHT)
                and abs(lean(seen)) < CLOSE_LOOK_ROLL,
            )
            for seen in self._reader.points(view)
        ]

    def _detection(self, image: Image, face: Candidate, readings: list[_Reading]) -> Detection:
        """The face with the points that fit it."""
        known = _nearest(readings, face, ALIKE)
        if known is None or not known.sharp:
            closer = [_Reading(points, True) for points in self._close_look(image, face)]
            known = _nearest(closer, face, ALIKE_CLOSE) or known
        if known is None:
            return Detection(_region(face), None)
        return Detection(roi_box_from_points(known.points), known.points)

    def _close_look(self, image: Image, face: Candidate) -> list[Points]:
        """Points of faces on an upright cut-out of this one."""
        region = _region(face)
        near = RoiBox(region.x, region.y, region.side * CLOSE_LOOK_MARGIN, region.roll)
        image_from_crop = near.image_from_crop
        image_from_crop[:, :2] *= CROP_SIZE / CLOSE_LOOK_PIXELS
        seen = self._reader.points(crop(image, near, CLOSE_LOOK_PIXELS))
        return [carry(points, image_from_crop) for points in seen]


@dataclass(frozen=True)
class _Reading:
    """MediaPipe's points of a face, and whether a closer look would not better them."""

    points: Points
    sharp: bool


def _nearest(readings: list[_Reading], face: Candidate, alike: float) -> _Reading | None:
    """The reading that shows the same as CenterFace saw, if there is one."""
    apart = [(_apart(_five_of(reading.points), face), reading) for reading in readings]
    distance, nearest = min(apart, key=lambda pair: pair[0], default=(np.inf, None))
    return nearest if distance < alike else None


def _five_of(points: Points) -> Candidate:
    """A reading as CenterFace would have seen it, without a score."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    middle = ((low + high) / 2).astype(np.float64)
    return Candidate(0.0, middle, _height(points), points[list(FIVE_POINTS), :2].astype(np.float64))


def _apart(reading: Candidate, face: Candidate) -> float:
    """Mean distance of the five points in parts of the face's height."""
    distances = np.linalg.norm(reading.points - face.points, axis=1)
    return float(distances.mean() / face.size)


def _region(face: Candidate) -> RoiBox:
    return roi_box_from_five(face.centre, face.size, face.points)


def _height(points: Points) -> float:
    return float(np.ptp(points[:, :2], axis=0).max())


def _ordered(detections: list[Detection]) -> list[Detection]:
    """Left to right."""
    return sorted(detections, key=lambda detection: detection.roi_box.x)
