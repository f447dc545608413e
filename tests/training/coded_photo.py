"""Photos whose colours say where in the photo they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from backend.geometry.camera import RoiBox, image_from_crop_frame
from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.model import MorphableModel
from tests.training.conftest import landmarks_of
from training.data.fitted_photos import FittedPhotos

SIZE = 240
BOX = RoiBox(120, 118, 150)


def parameters_at(
    model: MorphableModel, yaw: float, pitch: float = 0, roll: float = 0
) -> np.ndarray:
    """(62,) of the mean face in the crop frame."""
    matrix = np.column_stack([rotation_from_euler(yaw, pitch, roll) * 5e-4, [61, 70, -66.67]])
    return np.concatenate([matrix.reshape(-1), model.parameter_mean[12:]]).astype(np.float32)


def coded_photo() -> np.ndarray:
    """Every pixel's colour says where it is: red is x, green is y."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([x, y, np.full_like(x, 60)], axis=2).astype(np.uint8)


def coded_set(model: MorphableModel, folder: Path) -> FittedPhotos:
    """Three photos of two people: a coded one, and two of one colour."""
    folder.mkdir()
    pictures = [coded_photo(), np.full((SIZE, SIZE, 3), 90, np.uint8)]
    pictures.append((coded_photo() // 2 + 100).astype(np.uint8))
    names = np.array(["one_0.png", "one_1.png", "two_0.png"])
    for name, picture in zip(names, pictures, strict=True):
        Image.fromarray(picture).save(folder / name)
    parameters = np.stack([parameters_at(model, yaw) for yaw in (2.0, 3.0, -1.0)])
    landmarks = np.stack([image_from_crop_frame(landmarks_of(model, p), BOX) for p in parameters])
    boxes = np.tile(np.array(BOX.corners, np.float32), (3, 1))
    return FittedPhotos(
        "coded",
        folder,
        names,
        np.array(["one", "one", "two"]),
        boxes,
        parameters,
        landmarks.astype(np.float32),
    )
