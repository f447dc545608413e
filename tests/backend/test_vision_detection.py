"""Faces of a public-domain portrait, turned, shrunk, doubled and drawn in profile.

What is expected was measured by eye in the portrait, or is where we drew it.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker
from numpy.typing import NDArray
from skimage import data

from backend.errors import MissingAssetError
from backend.morphable_model.boxes import RoiBox
from backend.pipeline import FaceReconstructor
from backend.vision.centerface import CenterFace
from backend.vision.detection import Detection, FaceDetector
from backend.vision.landmarker import N_POINTS, Landmarker
from tests.backend.painted_head import in_profile

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


def points_of(detection: Detection) -> NDArray[np.float32]:
    assert detection.points is not None
    return detection.points


def test_points_and_region_of_a_portrait(
    detector: FaceDetector, portrait: NDArray[np.uint8]
) -> None:
    face = only(detector.detect(portrait))
    points = points_of(face)
    assert points.shape == (N_POINTS, 3) and points.dtype == np.float32
    assert np.abs(points[IRIS_POINTS, :2] - IRISES).max() < 1.5
    assert np.abs(points[MOUTH_POINTS, :2] - MOUTH_CORNERS).max() < 3
    assert abs(points[CHIN_POINT, 1] - CHIN_Y) < 2
    # The nose tip is nearer to the viewer than the ears.
    assert points[1, 2] > points[[234, 454], 2].max() + 20

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
    assert np.abs(points_of(face)[IRIS_POINTS, :2] - expected).max() < 2
    difference = face.roi_box.roll - (upright.roi_box.roll + turn)
    assert abs((difference + 180) % 360 - 180) < 2.5
    assert face.roi_box.side == pytest.approx(upright.roi_box.side, rel=0.05)


@pytest.mark.parametrize("scale", [1, 2])
def test_upside_down(detector: FaceDetector, portrait: NDArray[np.uint8], scale: int) -> None:
    """MediaPipe alone takes the forehead of these for the chin."""
    middle = portrait[:300, 70:370]
    photo = np.repeat(np.repeat(middle, scale, axis=0), scale, axis=1)[::-1, ::-1]
    photo = np.ascontiguousarray(photo)
    expected = 300 * scale - 1 - ((IRISES - [70, 0]) * scale + (scale - 1) / 2)
    face = only(detector.detect(photo))
    assert np.abs(points_of(face)[IRIS_POINTS, :2] - expected).max() < 2 * scale
    for seen in (face, only(detector.glance(photo))):
        assert abs(abs(seen.roi_box.roll) - 178) < 5
        assert np.hypot(*(expected.mean(axis=0) - (seen.roi_box.x, seen.roi_box.y))) < 45 * scale


@pytest.mark.parametrize("yaw", [-85, 85])
def test_profile(detector: FaceDetector, reconstructor: FaceReconstructor, yaw: float) -> None:
    """A drawn head that MediaPipe does not find; its landmarks are known."""
    photo, landmarks = in_profile(reconstructor, yaw)
    expected = RoiBox.around(landmarks)
    for face in (only(detector.detect(photo)), only(detector.glance(photo))):
        box = face.roi_box
        assert abs(np.log(box.side / expected.side)) < 0.25
        assert np.hypot(box.x - expected.x, box.y - expected.y) < 0.15 * expected.side


def test_a_first_guess_a_fifth_too_low_is_not_believed(
    detector: FaceDetector, portrait: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As MediaPipe reads faces of groups now and then; looked at closely it reads them right."""
    right = Landmarker.points

    def too_low(self: Landmarker, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = right(self, image)
        if image.shape == portrait.shape:
            found[..., 1] += 0.2 * np.ptp(found[..., 1])
        return found

    monkeypatch.setattr(Landmarker, "points", too_low)
    face = only(detector.detect(portrait))
    assert np.abs(points_of(face)[IRIS_POINTS, :2] - IRISES).max() < 1.5


def test_small_face_in_a_large_photo(detector: FaceDetector, portrait: NDArray[np.uint8]) -> None:
    """A face of 2.6 % of the width, before a wall of bricks."""
    wall = np.tile(data.brick()[..., None], (6, 8, 3))[:3000, :4000]
    photo = np.ascontiguousarray(wall)
    photo[1400:1700, 2900:3250] = portrait[:300, 50:400]
    face = only(detector.detect(photo))
    expected = IRISES + np.array([2900 - 50, 1400])
    assert np.abs(points_of(face)[IRIS_POINTS, :2] - expected).max() < 1.5


def test_faces_come_from_left_to_right(detector: FaceDetector, portrait: NDArray[np.uint8]) -> None:
    """A large one on the right, and one half its size on the left."""
    photo = np.full((512, 900, 3), 90, np.uint8)
    photo[:, 388:] = portrait
    photo[200:456, 20:276] = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    small, large = detector.detect(photo)
    assert np.abs(points_of(large)[IRIS_POINTS, :2] - IRISES - [388, 0]).max() < 1.5
    assert np.abs(points_of(small)[IRIS_POINTS, :2] - IRISES / 2 - [20, 200]).max() < 1.5


@pytest.mark.parametrize("name", ["coffee", "chelsea", "brick", "page", "colorwheel", "cell"])
def test_no_face(detector: FaceDetector, name: str) -> None:
    image = getattr(data, name)()
    image = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    assert detector.detect(image) == []


def test_finder_sees_a_picture_and_its_mirror_image_alike(
    detector_file: Path, portrait: NDArray[np.uint8]
) -> None:
    """So its pixel centres lie at integers, as those of all our images do."""
    finder = CenterFace(detector_file.with_name("centerface.onnx"))
    view = portrait[50:210, 145:305]
    (face,), (mirrored,) = finder.find_each(np.stack([view, view[:, ::-1]]), 0.5)
    back = mirrored.points[[1, 0, 2, 4, 3]] * [-1, 1] + [view.shape[1] - 1, 0]
    assert np.abs(back.mean(axis=0) - face.points.mean(axis=0)).max() < 1
    eyes = IRISES - [145, 50]
    assert np.abs((face.points[:2] + back[:2]) / 2 - eyes).max() < 4


def test_missing_and_damaged_models(detector_file: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "face_landmarker.task"
    damaged.write_bytes(b"PK\x03\x04" + bytes(1000))
    for path in (tmp_path / "nowhere.task", damaged):
        with pytest.raises(MissingAssetError, match="assets fetch"):
            FaceDetector(path)
    with pytest.raises(MissingAssetError, match="assets fetch"):
        FaceDetector(detector_file, tmp_path / "nowhere.onnx")
    finder = tmp_path / "centerface.onnx"
    finder.write_bytes(detector_file.with_name("centerface.onnx").read_bytes()[:100_000])
    with (
        FaceDetector(detector_file, finder) as detector,
        pytest.raises(MissingAssetError, match="assets fetch"),
    ):
        detector.detect(np.zeros((64, 64, 3), np.uint8))


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


def test_a_graph_that_nobody_uses_is_freed_by_whoever_opens_the_next(
    detector_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where Python looks for circles: MediaPipe's queue may be locked by the same thread."""
    freed, close = [], FaceLandmarker.close

    def closed(graph: FaceLandmarker) -> None:
        if graph._handle:
            freed.append(graph._handle.value)
        close(graph)

    monkeypatch.setattr(FaceLandmarker, "close", closed)
    circle: list[object] = [Landmarker(detector_file)]
    circle.append(circle)
    del circle
    gc.collect()
    assert not freed
    Landmarker(detector_file).close()
    assert len(freed) == 2
