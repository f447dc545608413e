"""Texture pairs that the tests draw: smooth faces of one colour each, half of them hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.texture_gan.pairs import Pair, create_pairs

SIZE, VIEWS = 64, 3


def draw_pair(rng: np.random.Generator) -> Pair:
    """A texture with a stripe; its turned views show one half and guess grey for the other."""
    texture = np.tile(rng.integers(60, 200, 3), (SIZE, SIZE, 1)).astype(np.uint8)
    texture[rng.integers(8, 56)] = 30
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[4:-4, 4:-4] = 255
    believed = np.repeat(mask[None], VIEWS, axis=0)
    believed[1, :, SIZE // 2 :] = 0
    believed[2, :, : SIZE // 2] = 0
    filled = np.where(believed[..., None] > 0, texture, 128).astype(np.uint8)
    photos = np.repeat(texture[None], VIEWS, axis=0)
    return Pair(texture, mask, photos, filled, believed)


def write_pairs(folder: Path, photos: int = 24) -> Path:
    """A folder of pairs, two photos to a person."""
    rng = np.random.default_rng(7)
    people = np.array([f"person{index // 2:02d}" for index in range(photos)])
    names = np.array([f"{name}_{index % 2}.png" for index, name in enumerate(people)])
    yaw = np.tile([0.0, 45.0, -65.0], (photos, 1))
    pairs = create_pairs(folder, names, np.repeat("drawn", photos), people, yaw, SIZE)
    for row in range(photos):
        pairs.put(row, draw_pair(rng))
    return folder
