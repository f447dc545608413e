"""Dense geometry: errors of whole meshes.

No public code says how the paper's Table 9 was measured. These are our definitions:

- Protocol 1 (`icp_error`), after PRNet: the predicted vertices are moved rigidly (no scale) onto
  the true ones by ICP, from where their 68 landmarks fit best; the error is the mean distance of a
  predicted vertex to the nearest true vertex, in percent of the distance of the outer eye corners.
- Protocol 2 (`dense_error`), after 3DDFA: vertices correspond and lie in the image frame; the error
  is the mean distance in space, in percent of sqrt(w * h) of the true vertices' box. The depth's
  origin is arbitrary in a weak-perspective camera, so its mean difference is taken out first.
- Florence (`point_to_plane_rmse`): see `training.evaluation.landmarks.florence`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from backend.errors import BadInputError
from backend.morphable_model.boxes import RoiBoxes
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from training.evaluation.tables import Table

Array = NDArray[np.floating]

OUTER_EYE_CORNERS = (36, 45)
MAX_ITERATIONS = 100
# ICP stops when the mean squared distance, in clouds of unit size, falls by less than that.
THRESHOLD = 1e-10
# So many points determine the rigid motion; the error is taken over all.
ICP_POINTS = 5000


@dataclass(frozen=True)
class Surface:
    """A surface to compare with.

    Attributes
    ----------
    vertices
        (V, 3).
    normals
        (V, 3) unit normals.
    """

    vertices: Array
    normals: Array


def dense_error(predicted: Array, truth: Array) -> float:
    """Protocol 2 in percent; (V, 3) corresponding vertices in the image frame."""
    difference = np.asarray(predicted, np.float64) - truth
    difference[:, 2] -= difference[:, 2].mean()
    size = np.sqrt(np.ptp(np.asarray(truth[:, :2], np.float64), axis=0).prod())
    return float(100 * np.linalg.norm(difference, axis=1).mean() / size)


def interocular_distance(landmarks: Array) -> float:
    """Distance of the outer eye corners of (68, 3) landmarks."""
    left, right = OUTER_EYE_CORNERS
    return float(np.linalg.norm(landmarks[left] - landmarks[right]))


def icp_error(
    predicted: Array, truth: Array, predicted_landmarks: Array, landmarks: Array
) -> float:
    """Protocol 1 in percent.

    Parameters
    ----------
    predicted, truth
        (V, 3) and (W, 3) vertices in frames of the same unit.
    predicted_landmarks, landmarks
        (68, 3) of each.
    """
    from trimesh.registration import procrustes

    start, *_ = procrustes(predicted_landmarks, landmarks, reflection=False, scale=False)
    moved = rigidly_aligned(predicted, truth, start)
    distance, _ = KDTree(truth).query(moved)
    return float(100 * distance.mean() / interocular_distance(landmarks))


def rigidly_aligned(
    points: Array, target: Array, start: Array | None = None
) -> NDArray[np.float64]:
    """Move (V, 3) points onto a cloud (W, 3) by point-to-point ICP, without scale or reflection.

    Parameters
    ----------
    start
        (4, 4) motion to begin with.

    Returns
    -------
    (V, 3) moved points.
    """
    from trimesh.registration import icp

    # trimesh's threshold is a length, so the clouds are brought to unit size.
    size = float(np.linalg.norm(np.ptp(target, axis=0)))
    scaled = np.asarray(points, np.float64) / size
    begin = np.eye(4) if start is None else start.copy()
    begin[:3, 3] /= size
    step = max(1, len(points) // ICP_POINTS)
    motion, _, _ = icp(
        scaled[::step],
        np.asarray(target, np.float64) / size,
        begin,
        THRESHOLD,
        MAX_ITERATIONS,
        reflection=False,
        scale=False,
    )
    return (scaled @ motion[:3, :3].T + motion[:3, 3]) * size


def point_to_plane_rmse(points: Array, surface: Surface) -> float:
    """Root mean square distance of (V, 3) points to the tangent plane at their nearest vertex."""
    _, nearest = KDTree(surface.vertices).query(points)
    offset = points - surface.vertices[nearest]
    along = (offset * surface.normals[nearest]).sum(axis=1)
    return float(np.sqrt((along**2).mean()))


def modelling_report(
    model: MorphableModel,
    names: NDArray[np.str_],
    rows: dict[str, tuple[Array, Array]],
    truth: tuple[Array, Array],
) -> dict[str, Any]:
    """Both protocols for heads of the morphable model.

    Parameters
    ----------
    rows
        By name, (N, 62) parameters and the (N, 4) boxes to whose crops they refer.
    truth
        The true ones. Photos of which either is not finite are left out.

    Returns
    -------
    ``n``, ``measured``; by row ``protocol_1`` and ``protocol_2``, means in percent.

    Raises
    ------
    BadInputError
        No photo has both.
    """
    pairs = [*rows.values(), truth]
    known = [np.isfinite(p).all(axis=1) & np.isfinite(b).all(axis=1) for p, b in pairs]
    measured = np.flatnonzero(np.logical_and.reduce(known))
    if not len(measured):
        raise BadInputError(
            "No photo has parameters, predicted and true.", "Both need params and boxes."
        )
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for index in measured:
        true = image_vertices(model, truth[0][index], truth[1][index])
        landmarks = true[model.landmark_indices]
        for name, (parameters, boxes) in rows.items():
            found = image_vertices(model, parameters[index], boxes[index])
            first = icp_error(found, true, found[model.landmark_indices], landmarks)
            errors[name].append((first, dense_error(found, true)))
    means = {name: np.mean(values, axis=0) for name, values in errors.items()}
    return {
        "n": len(names),
        "measured": len(measured),
        "nme": {
            name: {"protocol_1": float(first), "protocol_2": float(second)}
            for name, (first, second) in means.items()
        },
    }


def image_vertices(model: MorphableModel, parameters: Array, corners: Array) -> Array:
    """(V, 3) image frame, of (62,) parameters in the crop frame of a box x0, y0, x1, y1."""
    face = FaceParameters(np.asarray(parameters, np.float32))
    return face.vertices_image(model, RoiBoxes.from_corners(corners))


def modelling_table(report: dict[str, Any]) -> Table:
    """The report as a table."""
    rows = tuple(
        (name, [row["protocol_1"], row["protocol_2"]]) for name, row in report["nme"].items()
    )
    return Table("dense NME %", ("protocol 1", "protocol 2"), rows)
