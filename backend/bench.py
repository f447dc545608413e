"""Timing of the stages of a photo, warm, one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend import contract
from backend.engines import Device
from backend.geometry.rasterizer import rasterize
from backend.pipeline import FaceReconstructor, faces_result
from backend.texture.baker import TextureBaker
from backend.vision.crop import crop

PHOTO_HEIGHT = 720
PHOTO_WIDTH = 1280
TEXTURE_SIZE = 1024
RENDER_SIZE = 512


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one stage."""

    stage: str
    median: float
    best: float


def benchmark(photo: NDArray[np.uint8], repeat: int, device: Device = "auto") -> list[Timing]:
    """Time every stage on a 720p frame that shows `photo` at full height.

    Parameters
    ----------
    photo
        (H, W, 3) uint8 RGB with one face.
    repeat
        Counted runs of each stage, after one that warms up.
    device
        Where the network runs.
    """
    frame = frame_of(photo)
    reconstructor = FaceReconstructor.load(device)
    model = reconstructor.model
    face = reconstructor.faces_from_image(frame, texture_size=None)[0]
    box = reconstructor.detect(frame)[0].roi_box
    baker = TextureBaker.load(model, TEXTURE_SIZE)
    textured = reconstructor.faces_from_image(frame, texture_size=TEXTURE_SIZE)
    alpha = np.zeros(50, np.float32)
    rendered = _scaled_to(face.vertices_image, RENDER_SIZE)
    stages: dict[str, Callable[[], object]] = {
        "detection": lambda: reconstructor.detect(frame),
        "crop": lambda: crop(frame, box),
        "regression and dense mesh": lambda: reconstructor.regress(frame, [box]),
        "dense mesh alone": lambda: model.vertices(alpha[:40], alpha[40:]),
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
    return [_time(stage, work, repeat) for stage, work in stages.items()]


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
