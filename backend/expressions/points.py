"""Where MediaPipe's face mesh lies on the Basel Face Model: our own table.

The table ``mediapipe_points.npz`` was computed by `training.data.correspondence`; see the card
``mediapipe_points.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.errors import MissingAssetError
from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]

TABLE = Path(__file__).with_name("mediapipe_points.npz")
# MediaPipe has 478 points; the last ten lie on the irises, which the model has not.
N_MESH_POINTS = 468


@dataclass(frozen=True)
class MediaPipePoints:
    """Places on the model's surface.

    Attributes
    ----------
    corners
        (468, 3) int32, vertices of the triangle that holds each point.
    weights
        (468, 3) float32, barycentric, not negative, their sum is 1.
    reliable
        (468,) bool, whether the place explains the point in many photos.
    """

    corners: NDArray[np.int32]
    weights: NDArray[np.float32]
    reliable: NDArray[np.bool_]

    def at(self, vertices: Float) -> Float:
        """(..., 468, 3) places of the points on heads (..., V, 3), or of their deltas."""
        return np.einsum("pk,...pkx->...px", self.weights, vertices[..., self.corners, :])

    def on_mean_head(self, model: MorphableModel) -> Float:
        """(468, 3) millimetres."""
        return self.at(model.mean)

    def partners(self, model: MorphableModel) -> NDArray[np.intp]:
        """(468,) the point on the other side of the face; itself on the midline."""
        from scipy.optimize import linear_sum_assignment

        points = self.on_mean_head(model)
        mirrored = points * np.array([-1.0, 1.0, 1.0])
        return linear_sum_assignment(((mirrored[:, None] - points) ** 2).sum(axis=-1))[1]


def load_table(path: Path = TABLE) -> MediaPipePoints:
    """Read the table that comes with the program, or another.

    Raises
    ------
    MissingAssetError
        There is none, or it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return MediaPipePoints(stored["corners"], stored["weights"], stored["reliable"])
    except (OSError, KeyError, ValueError) as error:
        raise MissingAssetError(
            f"The table {path} cannot be read: {error}.", "Install SynergyFace again."
        ) from error


def save_table(table: MediaPipePoints, path: Path) -> None:
    """Write the table."""
    with atomic_path(path) as temporary:
        np.savez_compressed(
            temporary, corners=table.corners, weights=table.weights, reliable=table.reliable
        )
