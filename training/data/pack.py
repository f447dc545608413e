"""Packing of fitted photos: every face is read, cropped with context and stored once."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from backend.data_folder import atomic_path
from backend.geometry.camera import RoiBox, crop_frame_from_image
from backend.vision.crop import crop
from backend.vision.images import read_image
from training.data.fitted_photos import FittedPhotos
from training.data.packed import CONTEXT, CROPS_FILE, LABELS_FILE, STORED_SIZE


def pack(sets: Iterable[FittedPhotos], target: Path, workers: int = 2) -> int:
    """Write a pack; returns the number of faces. Nothing appears at `target` until all is read."""
    sets = list(sets)
    total = sum(len(photos.names) for photos in sets)
    cv2.setNumThreads(1)
    with atomic_path(target / CROPS_FILE) as temporary:
        crops = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=np.uint8, shape=(total, STORED_SIZE, STORED_SIZE, 3)
        )
        start = 0
        with ThreadPoolExecutor(workers) as pool, tqdm(total=total, disable=None) as bar:
            for photos in sets:
                paths = [photos.folder / str(name) for name in photos.names]
                jobs = pool.map(_context_crop, paths, photos.boxes)
                for index, image in enumerate(jobs, start):
                    crops[index] = image
                    bar.update()
                start += len(photos.names)
        crops.flush()
        with atomic_path(target / LABELS_FILE) as labels_path:
            np.savez(labels_path, **_labels(sets))
    return total


def _context_crop(path: Path, box: NDArray[np.float32]) -> NDArray[np.uint8]:
    roi_box = RoiBox.from_corners(*box.astype(float))
    return crop(read_image(path), RoiBox(roi_box.x, roi_box.y, roi_box.side * CONTEXT), STORED_SIZE)


def _labels(sets: list[FittedPhotos]) -> dict[str, Any]:
    def points(photos: FittedPhotos) -> NDArray[np.float32]:
        if photos.points is None:
            return np.full((len(photos.names), 2, 68), np.nan, np.float32)
        flat = np.concatenate([photos.points, np.zeros_like(photos.points[..., :1])], axis=2)
        return _in_crop_frame(flat, photos.boxes)[:, :2]

    return {
        "names": np.concatenate([p.names for p in sets]),
        "identities": np.concatenate([p.identities for p in sets]),
        "sources": np.concatenate([np.full(len(p.names), p.source) for p in sets]),
        "parameters": np.concatenate([p.parameters for p in sets]).astype(np.float32),
        "landmarks": np.concatenate([_in_crop_frame(p.landmarks, p.boxes) for p in sets]),
        "points": np.concatenate([points(p) for p in sets]).astype(np.float32),
    }


def _in_crop_frame(points: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, P, 3) image pixels -> (N, 3, P) crop frame."""
    each = [
        crop_frame_from_image(p, RoiBox.from_corners(*b.astype(float))).T
        for p, b in zip(points, boxes, strict=True)
    ]
    return np.stack(each).astype(np.float32)
