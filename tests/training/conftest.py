"""A small pack of faces that the tests draw themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from training.data.fitted_photos import FittedPhotos
from training.data.pack import pack


def random_parameters(model: MorphableModel, n: int, seed: int) -> np.ndarray:
    """(n, 62) plausible parameters in the crop frame."""
    rng = np.random.default_rng(seed)
    poses = [
        np.column_stack(
            [rotation_from_euler(*rng.uniform(-25, 25, 3)) * 4.4e-4, [61, 74, -66.67]]
        ).reshape(-1)
        for _ in range(n)
    ]
    sigma = np.concatenate([model.shape_sigma, model.expression_sigma])
    mean = model.parameter_mean[12:]
    alpha = mean + 0.4 * sigma * rng.standard_normal((n, 50))
    return np.hstack([poses, alpha]).astype(np.float32)


def landmarks_of(model: MorphableModel, parameters: np.ndarray) -> np.ndarray:
    """(68, 3) in the crop frame, by the plain formula V = P (mean + B alpha) + t."""
    matrix = parameters[:12].reshape(3, 4).astype(np.float64)
    vertices = 1000 * (model.landmark_mean + model.landmark_basis @ parameters[12:])
    return vertices @ matrix[:, :3].T + matrix[:, 3]


@pytest.fixture(scope="session")
def small_pack(model: MorphableModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 faces: white dots of 3x3 pixels at their landmarks on grey photos of 200x180 pixels."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    parameters = random_parameters(model, 40, seed=5)
    box = RoiBox(100, 90, 120)
    landmarks = []
    names = np.array([f"person{i // 2:02d}_{i % 2:02d}.png" for i in range(40)])
    for name, row in zip(names, parameters, strict=True):
        points = box.to_image(landmarks_of(model, row))
        landmarks.append(points)
        photo = np.full((180, 200, 3), 90, np.uint8)
        x, y = np.clip(np.rint(points[:, :2]).astype(int).T, 1, 178)
        for dy, dx in np.ndindex(3, 3):
            photo[y + dy - 1, x + dx - 1] = 255
        Image.fromarray(photo).save(folder / name)
    photos = FittedPhotos(
        source="dots",
        folder=folder,
        names=names,
        identities=np.array([name.split("_")[0] for name in names]),
        boxes=np.tile(np.array(box.corners, np.float32), (40, 1)),
        parameters=parameters,
        landmarks=np.array(landmarks, np.float32),
        points=np.array(landmarks, np.float32)[:, :, :2],
    )
    target = tmp_path_factory.mktemp("pack")
    assert pack([photos], target, faces_per_shard=16) == 40
    return target
