"""Packed faces: crops with context in one array, their labels beside it.

A pack is a folder with ``crops.npy`` (N, S, S, 3) uint8, which is read through a memory map, and
``labels.npz``. The crop of face i shows `CONTEXT` times the side of its roi box, so that an
augmentation can turn, scale and shift it without leaving the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from backend.errors import BadInputError

CONTEXT = 1.5
STORED_SIZE = 192
CROPS_FILE = "crops.npy"
LABELS_FILE = "labels.npz"
LABEL_FIELDS = ("names", "identities", "sources", "parameters", "landmarks", "points")


class PackedBatch(NamedTuple):
    """Faces as they are stored.

    Attributes
    ----------
    crops
        (N, S, S, 3) uint8 RGB.
    parameters
        (N, 62) in the frame of the upright 120x120 crop.
    landmarks
        (N, 3, 68) 3D landmarks in the crop frame.
    points
        (N, 2, 68) annotated points in the crop frame (NaN where there are none).
    """

    crops: Tensor
    parameters: Tensor
    landmarks: Tensor
    points: Tensor


@dataclass(frozen=True)
class Labels:
    """Arrays of ``labels.npz``; see `PackedBatch` for shapes, plus names, identities, sources."""

    names: NDArray[np.str_]
    identities: NDArray[np.str_]
    sources: NDArray[np.str_]
    parameters: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    points: NDArray[np.float32]


def read_labels(folder: Path) -> Labels:
    """Read a pack's labels.

    Raises
    ------
    BadInputError
        The folder is no pack.
    """
    path = folder / LABELS_FILE
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Labels(**{name: stored[name] for name in LABEL_FIELDS})
    except (OSError, KeyError, ValueError) as error:
        raise BadInputError(
            f"{folder} is not a folder of packed faces: {error}.",
            "Make one with `synergyface data pack`.",
        ) from error


class PackedFaces(Dataset[PackedBatch]):
    """Some faces of a pack; indexing with a list gives a whole batch.

    Parameters
    ----------
    folder
        The pack.
    indices
        Which of its faces.
    """

    def __init__(self, folder: Path, indices: NDArray[np.intp]) -> None:
        self.crops = np.load(folder / CROPS_FILE, mmap_mode="r", allow_pickle=False)
        self.labels = read_labels(folder)
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> PackedBatch:
        return PackedBatch(*(field[0] for field in self.__getitems__([index])))

    def __getitems__(self, indices: list[int]) -> PackedBatch:
        at = self.indices[indices]
        return PackedBatch(
            torch.from_numpy(self.crops[at]),
            torch.from_numpy(self.labels.parameters[at]),
            torch.from_numpy(self.labels.landmarks[at]),
            torch.from_numpy(self.labels.points[at]),
        )
