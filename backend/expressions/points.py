"""Where MediaPipe's face mesh lies on the Basel Face Model: our own table.

The table ``mediapipe_points.npz`` was computed by `training.data.correspondence`; see the card
``mediapipe_points.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.errors import MissingAssetError
from backend.fitting.surface_points import SurfacePoints, barycentric_points
from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]

TABLE = Path(__file__).with_name("mediapipe_points.npz")
# MediaPipe has 478 points; the last ten lie on the irises, which the model has not.
N_MESH_POINTS = 468
# MediaPipe's points on the edges of the lids between the corners, and on the lips' inner edges.
LEFT_UPPER_LID, LEFT_LOWER_LID = (
    (466, 388, 387, 386, 385, 384, 398),
    (249, 390, 373, 374, 380, 381, 382),
)
RIGHT_UPPER_LID, RIGHT_LOWER_LID = (
    (246, 161, 160, 159, 158, 157, 173),
    (7, 163, 144, 145, 153, 154, 155),
)
UPPER_LIP, LOWER_LIP = (
    (191, 80, 81, 82, 13, 312, 311, 310, 415),
    (95, 88, 178, 87, 14, 317, 402, 318, 324),
)


class Opening(Protocol):
    """Rims of an eye or of the mouth: vertices from corner to corner."""

    @property
    def upper(self) -> NDArray[np.integer]: ...
    @property
    def lower(self) -> NDArray[np.integer]: ...


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

    def surface(self, model: MorphableModel) -> SurfacePoints:
        """The reliable points as points of the model."""
        return barycentric_points(model, self.corners[self.reliable], self.weights[self.reliable])

    def on_rims(
        self, eyes: tuple[Opening, Opening], mouth: Opening, vertices: Float
    ) -> MediaPipePoints:
        """The same, the points of lids and lips exactly on the rims that open and close.

        Parameters
        ----------
        eyes, mouth
            The person's left and right eye; the mouth.
        vertices
            (V, 3) the mean head.
        """
        corners, weights = self.corners.copy(), self.weights.copy()
        places = self.at(vertices)
        for points, line in (
            (LEFT_UPPER_LID, eyes[0].upper),
            (LEFT_LOWER_LID, eyes[0].lower),
            (RIGHT_UPPER_LID, eyes[1].upper),
            (RIGHT_LOWER_LID, eyes[1].lower),
            (UPPER_LIP, mouth.upper),
            (LOWER_LIP, mouth.lower),
        ):
            for point in points:
                edge, share = _nearest_on_line(places[point], vertices[line])
                corners[point] = line[[edge, edge + 1, edge]]
                weights[point] = 1 - share, share, 0
        return replace(self, corners=corners, weights=weights)


def _nearest_on_line(point: Float, line: Float) -> tuple[int, float]:
    """The edge of a line that is nearest to a point, and how far along the edge."""
    start, edge = line[:-1], np.diff(line, axis=0)
    squared = np.maximum((edge**2).sum(axis=1), 1e-12)
    share = np.clip(((point - start) * edge).sum(axis=1) / squared, 0, 1)
    distance = ((point - start - share[:, None] * edge) ** 2).sum(axis=1)
    nearest = int(distance.argmin())
    return nearest, float(share[nearest])


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
