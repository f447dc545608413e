"""Timing of the stages of a photo, warm, one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.answers.faces import faces_result
from backend.benchmarks.reading import reading_stages
from backend.engines.devices import Device
from backend.exchange import contract
from backend.geometry.rasterizer import rasterize
from backend.pipeline import FaceReconstructor
from backend.texture.baker import TextureBaker
from backend.vision.crop import crop
from backend.vision.landmarker import Landmarker
from backend.vision.sources import detector_path

if TYPE_CHECKING:
    from backend.benchmarks.peers import Mb05

PHOTO_HEIGHT = 720
PHOTO_WIDTH = 1280
TEXTURE_SIZE = 1024
RENDER_SIZE = 512

NETWORK = "network, refinement too (target 2 ms)"
LANDMARKS = "box to landmarks, no mesh"
MESH = "box to landmarks and dense mesh"
PEER = "MediaPipe FaceLandmarker, whole frame"
MB05 = "3DDFA_V2 mb05, network"
# What is compared, and with what.
PAIRS = ((LANDMARKS, PEER), (MESH, PEER), (NETWORK, MB05))


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one stage."""

    stage: str
    median: float
    best: float


def benchmark(
    photo: NDArray[np.uint8], repeat: int, device: Device = "auto", mb05: Path | None = None
) -> list[Timing]:
    """Time every stage on a 720p frame that shows `photo` at full height.

    Parameters
    ----------
    photo
        (H, W, 3) uint8 RGB with one face.
    repeat
        Counted runs of each stage, after one that warms up.
    device
        Where the network runs.
    mb05
        Weights of a peer; see `backend.benchmarks.peers.Mb05`.
    """
    frame = frame_of(photo)
    reconstructor = FaceReconstructor.load(device)
    model = reconstructor.model
    face = reconstructor.faces_from_image(frame, texture_size=None)[0]
    box = reconstructor.detect(frame)[0].roi_box
    baker = TextureBaker.load(model, TEXTURE_SIZE)
    textured = reconstructor.faces_from_image(frame, texture_size=TEXTURE_SIZE)
    alpha = np.zeros(50, np.float32)
    head = np.empty_like(model.mean)
    crops = crop(frame, box)[None]
    peer = Landmarker(detector_path())
    rendered = _scaled_to(face.vertices_image, RENDER_SIZE)
    stages: dict[str, Callable[[], object]] = {
        "detection": lambda: reconstructor.detect(frame),
        "crop": lambda: crop(frame, box),
        NETWORK: lambda: reconstructor.quick_engine.run(crops),
        "dense mesh alone (target 2 ms)": lambda: model.vertices(alpha[:40], alpha[40:], head),
        LANDMARKS: lambda: reconstructor.landmarks(frame, [box]),
        MESH: lambda: reconstructor.regress(frame, [box]),
        PEER: lambda: peer.points(frame),
        "photo to mesh (target 60 ms)": lambda: reconstructor.faces_from_image(
            frame, texture_size=None
        ),
        "texture 1024 px (target 500 ms)": lambda: baker.bake(frame, face.vertices_image),
        "rasteriser 512 px (target 100 ms)": lambda: rasterize(
            rendered, model.triangles, RENDER_SIZE, RENDER_SIZE
        ),
        "result to bytes": lambda: contract.encode_faces(
            faces_result(textured, (PHOTO_WIDTH, PHOTO_HEIGHT))
        ),
    }
    stages |= reading_stages(frame)
    if mb05 is not None:
        stages[MB05] = partial(_mb05(mb05).run, crops)
    return [_time(stage, work, repeat) for stage, work in stages.items()]


def ratios(timings: list[Timing]) -> dict[str, float]:
    """How many times as long a peer takes as we do, by medians, for the peers that were timed."""
    medians = {timing.stage: timing.median for timing in timings}
    return {
        f"{theirs} / {ours}": medians[theirs] / medians[ours]
        for ours, theirs in PAIRS
        if theirs in medians
    }


def _mb05(path: Path) -> Mb05:
    # PyTorch takes seconds to import, and only this peer needs it here.
    from backend.benchmarks.peers import Mb05

    return Mb05(path)


def frame_of(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A 720p frame with the photo in its middle."""
    import cv2

    width = round(photo.shape[1] * PHOTO_HEIGHT / photo.shape[0])
    scaled = cv2.resize(photo, (min(width, PHOTO_WIDTH), PHOTO_HEIGHT))
    frame = np.full((PHOTO_HEIGHT, PHOTO_WIDTH, 3), 128, np.uint8)
    left = (PHOTO_WIDTH - scaled.shape[1]) // 2
    frame[:, left : left + scaled.shape[1]] = scaled
    return frame


def _scaled_to(vertices: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """The head as large as a square picture allows."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    factor = np.float32(0.95 * size / (high - low)[:2].max())
    return (vertices - (low + high) / 2) * factor + np.float32(size / 2)


def _time(stage: str, work: Callable[[], object], repeat: int) -> Timing:
    work()
    milliseconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        milliseconds.append(1000 * (time.perf_counter() - start))
    return Timing(stage, statistics.median(milliseconds), min(milliseconds))
