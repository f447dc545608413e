"""Timing of a clip from file to tracks, beside MediaPipe's FaceLandmarker on the same frames."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.benchmarks.photo import PHOTO_HEIGHT, PHOTO_WIDTH, frame_of
from backend.clip_pipeline import ClipRequest, track_from_video
from backend.pipeline import FaceReconstructor
from backend.vision.clip import Clip, Range, read_ahead
from backend.vision.film_colors import bt709_frame, tag_bt709
from backend.vision.opening import open_clip
from backend.vision.sources import detector_path
from backend.worker_process import follow_parent

Image = NDArray[np.uint8]

FRAME_RATE = 25
# Of the long part, whose memory is compared.
SHORT_SHARE = 0.25
# How far the photo moves: degrees, part of its size, pixels.
SWING_ROLL, SWING_SIZE, SWING_PIXELS = 6.0, 0.08, 40.0


@dataclass(frozen=True)
class Speed:
    """How fast somebody goes through a clip.

    Attributes
    ----------
    frames_per_second
        Of the fastest run, by the clock.
    processor_milliseconds
        For a frame, over all cores, least of all runs.
    """

    frames_per_second: float
    processor_milliseconds: float


@dataclass(frozen=True)
class VideoBenchmark:
    """What was measured.

    Attributes
    ----------
    frames
        Of the clip.
    ours, mediapipe
        Speeds, the decoding of the clip included, which is the same for both.
    short_megabytes, long_megabytes
        Largest memory of the process after a quarter of the clip, and after all of it; None where
        the system does not tell.
    """

    frames: int
    ours: Speed
    mediapipe: Speed
    short_megabytes: float | None
    long_megabytes: float | None


def benchmark_video(path: Path, reconstructor: FaceReconstructor, repeat: int) -> VideoBenchmark:
    """Time a clip, ours and MediaPipe's turns alternating.

    Parameters
    ----------
    path
        A video.
    reconstructor
        Ours.
    repeat
        Runs of each, after those that warm up.

    Raises
    ------
    BadInputError
        The clip cannot be read, or shows no face.
    """
    clip = open_clip(path)
    quarter = Range(0, SHORT_SHARE * clip.duration)
    # MediaPipe is loaded afterwards: its memory is not ours.
    track_from_video(ClipRequest(path, quarter, texture_size=None), reconstructor)
    short = peak_megabytes()
    tracked = track_from_video(ClipRequest(path, texture_size=None), reconstructor)
    long = peak_megabytes()
    frames = len(tracked.times)
    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: track_from_video(ClipRequest(path, texture_size=None), reconstructor),
        "mediapipe": lambda: follow_with_mediapipe(clip),
    }
    measured = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            measured[name].append(_timed(run))
    ours, mediapipe = (_speed(measured[name], frames) for name in runs)
    return VideoBenchmark(frames, ours, mediapipe, short, long)


def follow_with_mediapipe(clip: Clip) -> int:
    """Follow one face by the FaceLandmarker in video mode; number of frames with it."""
    from mediapipe import Image as Picture
    from mediapipe import ImageFormat
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions, RunningMode

    options = FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=detector_path().read_bytes()),
        running_mode=RunningMode.VIDEO,
    )
    found = 0
    with (
        FaceLandmarker.create_from_options(options) as landmarker,
        closing(read_ahead(clip.frames(Range()))) as frames,
    ):
        for frame in frames:
            picture = Picture(ImageFormat.SRGB, np.ascontiguousarray(frame.image))
            result = landmarker.detect_for_video(picture, round(1000 * frame.time))
            found += bool(result.face_landmarks)
    return found


def moving_photo(photo: Image, frames: int) -> Iterator[Image]:
    """Yield a photo that sways and comes nearer: (720, 1280, 3) frames."""
    still = frame_of(photo)
    centre = (PHOTO_WIDTH / 2, PHOTO_HEIGHT / 2)
    for number in range(frames):
        seconds = number / FRAME_RATE
        sway, near, drift = np.sin(2 * np.pi * seconds / np.array([3.1, 4.3, 5.2]))
        affine = cv2.getRotationMatrix2D(centre, SWING_ROLL * sway, 1 + SWING_SIZE * near)
        affine[0, 2] += SWING_PIXELS * drift
        moved = cv2.warpAffine(
            still, affine, (PHOTO_WIDTH, PHOTO_HEIGHT), borderMode=cv2.BORDER_REPLICATE
        )
        yield np.asarray(moved, np.uint8)


def write_moving_photo(path: Path, photo: Image, frames: int) -> None:
    """Write a clip of `moving_photo`, H.264, by another process: an encoder's memory is large."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, follow_parent) as pool:
        pool.submit(_encode, path, photo, frames).result()


def _encode(path: Path, photo: Image, frames: int) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FRAME_RATE))
        stream.width, stream.height = PHOTO_WIDTH, PHOTO_HEIGHT
        tag_bt709(stream)
        for image in moving_photo(photo, frames):
            container.mux(stream.encode(bt709_frame(image)))
        container.mux(stream.encode())


def peak_megabytes() -> float | None:
    """Return the largest memory that this process has had so far; None where the system does not
    tell.
    """
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, kilobytes elsewhere.
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    """Return seconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processor


def _speed(runs: list[tuple[float, float]], frames: int) -> Speed:
    clock, processor = (min(values) for values in zip(*runs, strict=True))
    return Speed(frames / clock, 1000 * processor / frames)
