"""Texture pairs that the tests draw, and photos of painted heads to make pairs from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from tests.backend.test_texture import photograph
from training.evaluation.textures.render import PosedPhoto
from training.texture_gan.pairs import Pair, create_pairs

SIZE, VIEWS = 64, 3


def draw_pair(rng: np.random.Generator) -> Pair:
    """A striped texture; turned views show one half, and guess the other at half its light."""
    texture = np.tile(rng.integers(60, 200, 3), (SIZE, SIZE, 1)).astype(np.uint8)
    texture[rng.integers(8, 56)] = 30
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[4:-4, 4:-4] = 255
    believed = np.repeat(mask[None], VIEWS, axis=0)
    believed[1, :, SIZE // 2 :] = 0
    believed[2, :, : SIZE // 2] = 0
    filled = np.where(believed[..., None] > 0, texture, texture // 2)
    photos = np.repeat(texture[None], VIEWS, axis=0)
    return Pair(texture, mask, photos, filled, believed)


def write_pairs(folder: Path, photos: int = 24) -> Path:
    """A folder of pairs, two photos to a person."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    people = np.array([f"person{index // 2:02d}" for index in range(photos)])
    names = np.array([f"{name}_{index % 2}.png" for index, name in enumerate(people)])
    yaw = np.tile([0.0, 45.0, -65.0], (photos, 1))
    pairs = create_pairs(folder, names, np.repeat("drawn", photos), people, yaw, SIZE)
    for row in range(photos):
        pairs.put(row, draw_pair(rng))
    return folder


def painted_photo(model: MorphableModel, colors: np.ndarray, yaw: float) -> PosedPhoto:
    """The mean head with (V, 3) colours as `photograph` draws it, with its 62 parameters."""
    image, vertices = photograph(model, colors, yaw)
    box = RoiBox.around(vertices[model.landmark_indices])
    to_crop, rotation = 120 / box.side, rotation_from_euler(yaw, 0, 0)
    # What `photograph` does: 1.6 pixels to a millimetre, this point in the picture's middle.
    origin = 1.6 * (rotation @ [0, 16, -60])[:2] * [1, -1] + 239.5
    x, y = (origin - np.array(box.corners[:2])) * to_crop
    pose = np.column_stack([rotation * 1.6e-3 * to_crop, [x + 1, 120 - y, 0]])
    parameters = np.concatenate([pose.reshape(-1), np.zeros(50)]).astype(np.float32)
    return PosedPhoto(image, parameters, box)
