"""MediaPipe's FaceLandmarker behind one call: a picture in, arrays of points out."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.errors import MissingAssetError

if TYPE_CHECKING:
    from mediapipe import Image as Picture
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerResult

N_POINTS = 478
MAX_FACES = 32
# The process has one standard error only.
_silence = threading.Lock()
# Landmarkers that nobody uses any more, and the handles of their graphs.
_abandoned: SimpleQueue[tuple[FaceLandmarker, ctypes.c_void_p]] = SimpleQueue()


class Landmarker:
    """MediaPipe's FaceLandmarker for single pictures, on the CPU.

    It may be called from any thread, and by several: MediaPipe queues the calls.

    Parameters
    ----------
    model_path
        ``face_landmarker.task``.
    confidence
        Least score of its detector for a face, 0 to 1. With 0.5, MediaPipe's default, patterns
        like a colour wheel pass; with 0.7 few do, and one real face in a hundred fails.
    presence
        Least score of the points, 0 to 1. With 0.5, MediaPipe's default, faces pass that lean so
        far that their points are wrong; right points nearly always score above 0.9.

    Raises
    ------
    MissingAssetError
        The model file or a system library of MediaPipe's is missing or cannot be used.
    """

    def __init__(self, model_path: Path, confidence: float = 0.5, presence: float = 0.8) -> None:
        with _silent_stderr():
            self._landmarker = _open(model_path, confidence, presence, MAX_FACES)
            self.points(np.zeros((64, 64, 3), np.uint8))
        self._finalizer = weakref.finalize(self, _abandon, self._landmarker)

    def close(self) -> None:
        """Free MediaPipe's graph; closing twice does no harm."""
        self._finalizer()
        _free_abandoned()

    def points(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Find faces.

        Its detector sees the picture shrunk to 128 pixels, and so finds faces larger than about
        an eighth of the longer side that lean by less than about 60 degrees.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.

        Returns
        -------
        (n, 478, 3) float32: x right, y down in pixels (centre of the top-left pixel at 0), z to
        the viewer in the same scale, 0 in the middle of the head.
        """
        result = self._landmarker.detect(_picture(image))
        return _points(result, image)


class FilmLandmarker:
    """MediaPipe's FaceLandmarker for the frames of one film, on the CPU.

    It looks where the face was in the frame before, which takes two thirds of the time that a
    single picture takes. One thread may call it at a time.

    Parameters
    ----------
    model_path
        ``face_landmarker.task``.
    max_faces
        How many faces it follows at most. One alone it smooths a little; with more it looks for
        faces in every frame that shows fewer.
    presence
        As for `Landmarker`.

    Raises
    ------
    MissingAssetError
        As for `Landmarker`.
    """

    def __init__(self, model_path: Path, max_faces: int = 1, presence: float = 0.5) -> None:
        self._milliseconds = -1
        with _silent_stderr():
            self._landmarker = _open(model_path, 0.5, presence, max_faces, film=True)
            self.points(np.zeros((64, 64, 3), np.uint8), 0.0)
        self._finalizer = weakref.finalize(self, _abandon, self._landmarker)

    def close(self) -> None:
        """Free MediaPipe's graph; closing twice does no harm."""
        self._finalizer()
        _free_abandoned()

    def points(self, image: NDArray[np.uint8], time: float) -> NDArray[np.float32]:
        """Faces of the next frame; see `Landmarker.points`.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.
        time
            Seconds. MediaPipe wants whole milliseconds that rise: frames nearer than that count as
            one apart.
        """
        self._milliseconds = max(self._milliseconds + 1, round(1000 * time))
        return _points(
            self._landmarker.detect_for_video(_picture(image), self._milliseconds), image
        )


def _picture(image: NDArray[np.uint8]) -> Picture:
    from mediapipe import Image, ImageFormat

    return Image(ImageFormat.SRGB, np.ascontiguousarray(image))


def _points(result: FaceLandmarkerResult, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 478, 3) in pixels of the picture that was looked at; see `Landmarker.points`."""
    normalized = np.array(
        [[(p.x, p.y, p.z) for p in face] for face in result.face_landmarks], np.float32
    ).reshape(-1, N_POINTS, 3)
    height, width = image.shape[:2]
    # z counts in units of the width, away from us. There is no half pixel to subtract: faces
    # and their mirror images, made ever smaller, meet when pixel centres are at integers.
    return normalized * np.array([width, height, -width], np.float32)


def _open(
    model_path: Path, confidence: float, presence: float, max_faces: int, film: bool = False
) -> FaceLandmarker:
    _free_abandoned()
    if not model_path.is_file():
        raise MissingAssetError(
            f"The face detector's model {model_path} is missing.", "Run `synergyface assets fetch`."
        )
    try:
        with _without_matplotlib():
            from mediapipe.tasks.python import BaseOptions
            from mediapipe.tasks.python.vision.core.vision_task_running_mode import (
                VisionTaskRunningMode,
            )
            from mediapipe.tasks.python.vision.face_landmarker import (
                FaceLandmarker,
                FaceLandmarkerOptions,
            )

        # The bytes, not the path, because MediaPipe cannot open every path on Windows.
        base = BaseOptions(model_asset_buffer=model_path.read_bytes())
        options = FaceLandmarkerOptions(
            base_options=base,
            num_faces=max_faces,
            running_mode=VisionTaskRunningMode.VIDEO if film else VisionTaskRunningMode.IMAGE,
            min_face_detection_confidence=confidence,
            min_face_presence_confidence=presence,
        )
        return FaceLandmarker.create_from_options(options)
    except OSError as error:
        raise MissingAssetError(
            f"MediaPipe cannot load a system library: {error}.",
            "On Debian or Ubuntu run `sudo apt-get install libegl1 libgles2`.",
            code="missing-library",
        ) from error
    except (RuntimeError, ValueError) as error:
        raise MissingAssetError(
            f"The face detector's model {model_path} is damaged.",
            "Run `synergyface assets fetch` to fetch it again.",
        ) from error


def _abandon(landmarker: FaceLandmarker) -> None:
    """Note a graph to be freed, which only code that runs by itself may do.

    Python calls this wherever it happens to look for circles: even where MediaPipe's queue or the
    interpreter's end holds locks that freeing needs. Without its handle, MediaPipe's own
    destructor keeps quiet; at the end of the process the system frees the memory.
    """
    handle, landmarker._handle = landmarker._handle, ctypes.c_void_p()
    _abandoned.put((landmarker, handle))


def _free_abandoned() -> None:
    while True:
        try:
            landmarker, handle = _abandoned.get_nowait()
        except Empty:
            return
        landmarker._handle = handle
        with suppress(RuntimeError):
            landmarker.close()
        landmarker._handle = ctypes.c_void_p()


@contextmanager
def _without_matplotlib() -> Iterator[None]:
    """Let MediaPipe import an empty module in place of Matplotlib.

    Its drawing functions, which are not used here, are all that needs it. It takes as long to
    import as everything else together, and on a new computer searches all fonts first.
    """
    names = [name for name in ("matplotlib", "matplotlib.pyplot") if name not in sys.modules]
    sys.modules.update({name: ModuleType(name) for name in names})
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send the process's stderr nowhere.

    MediaPipe's C++ code greets on file descriptor 2 when a graph starts and at its first picture,
    and listens to no setting. So only these two run in here.
    """
    with _silence:
        try:
            saved = os.dup(2)
        except OSError:
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(saved, 2)
            for descriptor in (saved, nowhere):
                with suppress(OSError):
                    os.close(descriptor)
