"""How MediaPipe's points lie on resting faces: not where the model's do, and on each elsewhere.

Lids, brows and lips of different people rest at different heights, which 40 components of shape do
not tell. A single photo has no other rest to be measured from, so it is read against everybody's:
what resting faces differ by among themselves is no expression.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.errors import MissingAssetError

Array = NDArray[np.floating]

TABLE = Path(__file__).with_name("rest_faces.npz")


@dataclass(frozen=True)
class RestFaces:
    """Displacements from the points of the model's neutral heads, millimetres of the model frame.

    Attributes
    ----------
    mean
        (478, 3).
    modes
        (M, 478, 3), how people differ: principal components, each of one standard deviation.
    """

    mean: Array
    modes: Array


def measure_rest_faces(displacements: Array, partners: NDArray[np.integer], most: int) -> RestFaces:
    """Measure resting faces.

    Parameters
    ----------
    displacements
        (N, 478, 3) of N people's points, aligned with the model's.
    partners
        (478,) each point's on the other side of the face. Mirror images count as people.
    most
        Number of modes.
    """
    mirrored = displacements[:, partners] * [-1.0, 1.0, 1.0]
    everybody = np.concatenate([displacements, mirrored]).astype(np.float64)
    mean = everybody.mean(axis=0)
    flat = (everybody - mean).reshape(len(everybody), -1) / np.sqrt(len(everybody))
    _, spread, modes = np.linalg.svd(flat, full_matrices=False)
    return RestFaces(mean, (spread[:most, None] * modes[:most]).reshape(-1, *mean.shape))


def save_rest_faces(faces: RestFaces, path: Path = TABLE) -> None:
    """Write the table."""
    with atomic_path(path) as temporary:
        np.savez_compressed(
            temporary, mean=faces.mean.astype(np.float16), modes=faces.modes.astype(np.float16)
        )


def load_rest_faces(path: Path = TABLE) -> RestFaces:
    """Read the table that comes with the program.

    Raises
    ------
    MissingAssetError
        There is none, or it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return RestFaces(stored["mean"].astype(np.float64), stored["modes"].astype(np.float64))
    except Exception as error:  # NumPy parses headers as Python; damage raises nearly anything
        raise MissingAssetError(
            f"The table {path} cannot be read: {error}.", "Install SynergyFace again."
        ) from error
