"""Faces of a public-domain portrait, turned, shrunk and doubled; measured by eye in the picture."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from backend.errors import MissingAssetError
from backend.vision.detection import Detection, FaceDetector

# Read off an eightfold enlargement of the portrait: x, y in pixels.
IRISES = np.array([[202.9, 100.6], [246.4, 103.3]])
MOUTH_CORNERS = np.array([[202.4, 139.0], [246.6, 138.2]])
CHIN_Y = 178.5
# From the highest brow to the chin and from jaw to jaw.
FACE_BOX = (182, 88, 267, 178.5)

IRIS_POINTS, MOUTH_POINTS, CHIN_POINT = [468, 473], [61, 291], 152


@pytest.fixture(scope="module")
def detector(detector_file: Path) -> Iterator[FaceDetector]:
    with FaceDetector(detector_file) as detector:
        yield detector


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    return data.astronaut()


def only(detections: list[Detection]) -> Detection:
    assert len(detections) == 1
    return detections[0]


def test_points_and_region_of_a_portrait(
    detector: FaceDetector, portrait: NDArray[np.uint8]
) -> None:
    face = only(detector.detect(portrait))
    assert face.points.shape == (478, 3)
    assert face.points.dtype == np.float32
    assert np.abs(face.points[IRIS_POINTS, :2] - IRISES).max() < 1.5
    assert np.abs(face.points[MOUTH_POINTS, :2] - MOUTH_CORNERS).max() < 3
    assert abs(face.points[CHIN_POINT, 1] - CHIN_Y) < 2
    # The nose tip is nearer to the viewer than the ears.
    assert face.points[1, 2] > face.points[[234, 454], 2].max() + 20

    x0, y0, x1, y1 = FACE_BOX
    side = max(x1 - x0, y1 - y0) * np.sqrt(2)
    assert face.roi_box.side == pytest.approx(side, rel=0.08)
    assert face.roi_box.x == pytest.approx((x0 + x1) / 2, abs=0.03 * side)
    assert face.roi_box.y == pytest.approx((y0 + y1) / 2, abs=0.03 * side)
    # Her eyes' line falls to the image's right: she leans to the right, clockwise.
    (left_x, left_y), (right_x, right_y) = IRISES
    fall = np.degrees(np.arctan2(right_y - left_y, right_x - left_x))
    assert face.roi_box.roll == pytest.approx(-fall, abs=2)


@pytest.mark.parametrize("turn", [45, 90, 130, 180, 240, 270])
def test_any_rotation(detector: FaceDetector, portrait: NDArray[np.uint8], turn: int) -> None:
    """Turned anticlockwise about the middle, the same points are found where they went."""
    upright = only(detector.detect(portrait))
    turned_from_portrait = cv2.getRotationMatrix2D((255.5, 255.5), turn, 1.0)
    turned_from_portrait[:, 2] += 100
    turned = cv2.warpAffine(portrait, turned_from_portrait, (712, 712))
    face = only(detector.detect(np.asarray(turned, np.uint8)))
    expected = IRISES @ turned_from_portrait[:, :2].T + turned_from_portrait[:, 2]
    assert np.abs(face.points[IRIS_POINTS, :2] - expected).max() < 2
    difference = face.roi_box.roll - (upright.roi_box.roll + turn)
    assert abs((difference + 180) % 360 - 180) < 2.5
    assert face.roi_box.side == pytest.approx(upright.roi_box.side, rel=0.05)


def test_small_face_in_a_large_photo(detector: FaceDetector, portrait: NDArray[np.uint8]) -> None:
    """A face of 2.6 % of the width, before a wall of bricks."""
    wall = np.tile(data.brick()[..., None], (6, 8, 3))[:3000, :4000]
    photo = np.ascontiguousarray(wall)
    photo[1400:1700, 2900:3250] = portrait[:300, 50:400]
    face = only(detector.detect(photo))
    expected = IRISES + np.array([2900 - 50, 1400])
    assert np.abs(face.points[IRIS_POINTS, :2] - expected).max() < 1.5


def test_faces_come_from_left_to_right(detector: FaceDetector, portrait: NDArray[np.uint8]) -> None:
    """A large one on the right, and one half its size on the left."""
    photo = np.full((512, 900, 3), 90, np.uint8)
    photo[:, 388:] = portrait
    photo[200:456, 20:276] = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    small, large = detector.detect(photo)
    assert np.abs(large.points[IRIS_POINTS, :2] - IRISES - [388, 0]).max() < 1.5
    assert np.abs(small.points[IRIS_POINTS, :2] - IRISES / 2 - [20, 200]).max() < 1.5


@pytest.mark.parametrize("name", ["coffee", "chelsea", "brick", "page"])
def test_no_face(detector: FaceDetector, name: str) -> None:
    image = getattr(data, name)()
    image = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    assert detector.detect(image) == []


def test_missing_and_damaged_model(tmp_path: Path) -> None:
    damaged = tmp_path / "face_landmarker.task"
    damaged.write_bytes(b"PK\x03\x04" + bytes(1000))
    for path in (tmp_path / "nowhere.task", damaged):
        with pytest.raises(MissingAssetError, match="assets fetch"):
            FaceDetector(path)


def test_missing_system_library(detector_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mediapipe.tasks.python.core import mediapipe_c_bindings

    def fail(*_: object) -> None:
        raise OSError("libEGL.so.1: cannot open shared object file")

    monkeypatch.setattr(mediapipe_c_bindings, "load_shared_library", fail)
    with pytest.raises(MissingAssetError, match="apt-get install libegl1 libgles2"):
        FaceDetector(detector_file)


def test_nothing_reaches_stderr(detector_file: Path) -> None:
    """Neither MediaPipe's greetings nor its destructor's traceback, even if never closed."""
    script = (
        "from pathlib import Path; from skimage import data\n"
        "from backend.vision.detection import FaceDetector\n"
        f"detector = FaceDetector(Path({str(detector_file)!r}))\n"
        "print(len(detector.detect(data.astronaut())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == "1\n"
    assert done.stderr == ""


def test_the_detector_library_has_no_usage_reporting() -> None:
    """MediaPipe from 0.10.33 on logs to its maker's servers; the versions we allow cannot."""
    import mediapipe

    libraries = list(Path(mediapipe.__file__).parent.rglob("libmediapipe*"))
    assert libraries
    for library in libraries:
        assert b"clearcut" not in library.read_bytes().lower()
