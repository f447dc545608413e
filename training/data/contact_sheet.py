"""Many faces of a set on one picture, to look at what a step of the preparation has made."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.morphable_model.boxes import RoiBox
from backend.vision.crop import crop
from backend.vision.images import read_image
from training.data.fitted_photos import FittedPhotos
from training.data.shards import CONTEXT, STORED_SIZE

COLOUR = (90, 240, 120)


def contact_sheet(
    photos: FittedPhotos, count: int = 48, columns: int = 8, landmarks: bool = False
) -> NDArray[np.uint8]:
    """Faces spread evenly over a set, each with its surroundings.

    Parameters
    ----------
    photos
        The set.
    count, columns
        How many faces, and how many side by side.
    landmarks
        Draw the 68 landmarks of the labels.

    Returns
    -------
    (rows * 192, columns * 192, 3) uint8 RGB.
    """
    chosen = np.linspace(0, len(photos) - 1, min(count, len(photos))).astype(int)
    tiles = [_tile(photos, index, landmarks) for index in chosen]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
    return np.vstack(rows)


def write_contact_sheet(sheet: NDArray[np.uint8], path: Path) -> None:
    """Store a sheet as a PNG or JPEG."""
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), sheet[:, :, ::-1])


def _tile(photos: FittedPhotos, index: int, landmarks: bool) -> NDArray[np.uint8]:
    roi_box = RoiBox.from_corners(*(float(x) for x in photos.boxes[index]))
    window = RoiBox(roi_box.x, roi_box.y, roi_box.side * CONTEXT)
    tile = crop(read_image(photos.folder / str(photos.names[index])), window, STORED_SIZE)
    if landmarks:
        corner = np.array(window.corners[:2])
        places = (photos.landmarks[index, :, :2] - corner) * (STORED_SIZE / window.side)
        for x, y in np.rint(places).astype(int).tolist():
            cv2.circle(tile, (x, y), 1, COLOUR, -1)
    return tile
