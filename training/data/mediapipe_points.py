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
from backend.fitting.surface_points import SurfacePoints, barycentric_points
from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]

TABLE = Path(__file__).with_name("mediapipe_points.npz")
# MediaPipe has 478 points; the last ten lie on the irises, which the model has not.
N_MESH_POINTS = 468
NOSE_TIP, EARS = 1, (234, 454)
# Millimetres within which a landmark is taken to be the very same place.
SAME_PLACE = 2.0


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

    def surface(self, model: MorphableModel) -> SurfacePoints:
        """The reliable points as points of the model."""
        return barycentric_points(model, self.corners[self.reliable], self.weights[self.reliable])

    def on_mean_head(self, model: MorphableModel) -> Float:
        """(468, 3) millimetres."""
        return np.einsum("pk,pkx->px", self.weights, model.mean[self.corners])


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
            f"The table {path} cannot be read: {error}.",
            "Install SynergyFace again, or make the table by `synergyface data correspondence`.",
        ) from error


def save_table(table: MediaPipePoints, path: Path) -> None:
    """Write the table."""
    with atomic_path(path) as temporary:
        np.savez_compressed(
            temporary, corners=table.corners, weights=table.weights, reliable=table.reliable
        )


def towards_viewer(points: Float) -> Float:
    """(N, 478, 3) points with z to the viewer, whichever way it counted.

    MediaPipe's own z counts away from the viewer. Over many faces the nose is nearer than the ears.
    """
    nearer = points[:, NOSE_TIP, 2] - points[:, EARS, 2].mean(axis=1)
    if len(points) == 0 or np.nanmedian(nearer) >= 0:
        return points
    return points * np.array([1, 1, -1], points.dtype)


def landmarks_from_mesh(table: MediaPipePoints, model: MorphableModel) -> NDArray[np.float32]:
    """(68, 468) weights that give the 68 landmarks from MediaPipe's points.

    A landmark is MediaPipe's point at the same place, else it lies in a triangle of its points on
    the mean head seen from the front; a few lie outside all triangles and take the nearest point.
    """
    from scipy.spatial import Delaunay

    points = table.on_mean_head(model).astype(np.float64)
    points[~table.reliable] = np.inf
    landmarks = model.landmark_mean.astype(np.float64)
    distance = np.linalg.norm(landmarks[:, None] - points, axis=2)
    nearest = distance.argmin(axis=1)
    usable = np.flatnonzero(table.reliable)
    mesh = Delaunay(points[usable, :2])
    triangle = mesh.find_simplex(landmarks[:, :2])
    inside = (triangle >= 0) & (distance.min(axis=1) > SAME_PLACE)

    weights = np.zeros((len(landmarks), N_MESH_POINTS), np.float32)
    weights[~inside, nearest[~inside]] = 1
    affine = mesh.transform[triangle[inside]]
    two = np.einsum("nij,nj->ni", affine[:, :2], landmarks[inside, :2] - affine[:, 2])
    barycentric = np.column_stack([two, 1 - two.sum(axis=1)])
    corners = usable[mesh.simplices[triangle[inside]]]
    weights[np.flatnonzero(inside)[:, None], corners] = barycentric
    return weights
