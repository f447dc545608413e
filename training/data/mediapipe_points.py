"""What trainings need of MediaPipe's face mesh beyond its table (`backend.expressions.points`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.expressions.points import N_MESH_POINTS, MediaPipePoints
from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]

NOSE_TIP, EARS = 1, (234, 454)
# Millimetres within which a landmark is taken to be the very same place.
SAME_PLACE = 2.0


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
