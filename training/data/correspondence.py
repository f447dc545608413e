"""Registration of MediaPipe's face mesh to the Basel Face Model.

Photos with fitted heads and MediaPipe's points tell where on the head each of its points lies:
at the place of the surface that is nearest to the point over all photos at once, in the picture
and, with less weight, in depth. Left and right are registered together, as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree
from tqdm import tqdm

from backend.errors import BadInputError
from backend.morphable_model.boxes import RoiBoxes
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from training.data.mediapipe_points import N_MESH_POINTS, MediaPipePoints, towards_viewer

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Weight of squared distances in depth, which MediaPipe guesses, against those in the picture.
METRIC = np.array([1.0, 1.0, 0.1])
# MediaPipe's points that are the same places as these of the 68 landmarks: nose tip, outer corners
# of the eyes, corners of the mouth. They fix the depth, which is known up to a constant.
ANCHORS = {1: 30, 33: 36, 263: 45, 61: 48, 291: 54}
# Millimetres around the first guess in which the best vertex is sought, and around that vertex
# those of the triangles.
REACH, CLOSE = 10.0, 3.0
ROUNDS = 2
# Millimetres, root mean square over the photos in the picture, up to which a place is reliable.
# MediaPipe's points on the outline and inside the nostrils are not.
RELIABLE_ERROR = 2.2
MIN_PHOTOS = 20
MIRROR = np.array([-1.0, 1.0, 1.0])
# Millimetres; the few vertices between the lips without a partner are farther off.
MIRROR_ERROR = 5.0


@dataclass(frozen=True)
class Registration:
    """The table, and what it was judged by.

    Attributes
    ----------
    table
        The places.
    errors
        (468,) root mean square distance in the picture over the photos, millimetres.
    partners
        (468,) MediaPipe's point on the other side of the face.
    """

    table: MediaPipePoints
    errors: Float
    partners: NDArray[np.intp]


@dataclass(frozen=True)
class Views:
    """N photos: millimetres in frames of the camera (y up) with the model's origin at 0.

    Attributes
    ----------
    rotation
        (N, 3, 3), camera from model.
    alpha
        (N, 50) coefficients.
    points
        (N, 468, 3) MediaPipe's; their depth is shifted to the model's.
    """

    rotation: Float
    alpha: Float
    points: Float

    def residuals(self, model: MorphableModel, vertices: Int, point: int) -> Float:
        """(N, K, 3) from one of MediaPipe's points to vertices (K,) of the heads."""
        return self.heads(model, vertices) - self.points[:, point, None]

    def heads(self, model: MorphableModel, vertices: Int) -> Float:
        """(N, K, 3) vertices as the camera sees them."""
        basis = model.basis[:, vertices].reshape(self.alpha.shape[1], -1)
        shaped = model.mean[vertices] + (self.alpha @ basis).reshape(-1, len(vertices), 3)
        return shaped @ self.rotation.swapaxes(1, 2)


def register(
    model: MorphableModel,
    parameters: NDArray[np.floating],
    boxes: NDArray[np.floating],
    mp478: NDArray[np.floating],
) -> Registration:
    """Find MediaPipe's points on the model.

    Parameters
    ----------
    model
        The morphable model.
    parameters, boxes
        (N, 62) and (N, 4), fits of N photos, N >= 20.
    mp478
        (N, 478, 3) image pixels, z in the same scale.
    """
    if len(parameters) < MIN_PHOTOS:
        raise BadInputError(
            f"{len(parameters)} photos are too few to register MediaPipe's points.",
            f"Give {MIN_PHOTOS} or more, of different people.",
        )
    points = towards_viewer(mp478[:, :N_MESH_POINTS].astype(np.float64))
    views = _views(model, parameters, boxes, points)
    # In the frame of the model, averaged over people; their mean head in place of the model's.
    guess = np.einsum("nji,npj->pi", views.rotation, views.points) / len(points)
    partners = _partners(guess)
    head = model.mean + np.tensordot(views.alpha.mean(axis=0), model.basis, 1)
    corners, weights = _places(model, head, views, guess, partners)
    for _ in range(1, ROUNDS):
        views = _with_depth_of(model, views, corners, weights)
        guess = np.einsum("pk,pkx->px", weights, head[corners])
        corners, weights = _places(model, head, views, guess, partners)
    errors = _errors(model, views, corners, weights)
    both = np.sqrt((errors**2 + errors[partners] ** 2) / 2)
    table = MediaPipePoints(corners, weights.astype(np.float32), both < RELIABLE_ERROR)
    return Registration(table, errors, partners)


def _views(
    model: MorphableModel,
    parameters: NDArray[np.floating],
    boxes: NDArray[np.floating],
    points: Float,
) -> Views:
    faces = FaceParameters(parameters.astype(np.float64))
    pose, crop = faces.pose, RoiBoxes.from_corners(boxes).to_crop(points)
    seen = (crop - pose.translation[:, None]) / np.asarray(pose.scale)[:, None, None]
    views = Views(pose.rotation, faces.alpha, seen)
    anchors = views.heads(model, model.landmark_indices[list(ANCHORS.values())])
    return _shifted(views, (anchors - views.points[:, list(ANCHORS)])[..., 2].mean(axis=1))


def _with_depth_of(model: MorphableModel, views: Views, corners: Int, weights: Float) -> Views:
    """The same, their depth such that it agrees on average over all points."""
    gaps = [
        np.einsum("k,nk->n", weights[p], views.residuals(model, corners[p], p)[..., 2])
        for p in range(N_MESH_POINTS)
    ]
    return _shifted(views, np.median(gaps, axis=0))


def _shifted(views: Views, depth: Float) -> Views:
    points = views.points.copy()
    points[..., 2] += depth[:, None]
    return Views(views.rotation, views.alpha, points)


def _partners(points: Float) -> NDArray[np.intp]:
    """(P,) point on the other side of the face; points near the middle may be their own.

    Raises
    ------
    BadInputError
        The points are not symmetric.
    """
    distance = np.linalg.norm(points[:, None] * MIRROR - points, axis=2)
    partners = linear_sum_assignment(distance**2)[1]
    if (partners[partners] != np.arange(len(points))).any():
        raise BadInputError(
            "MediaPipe's points are not symmetric on these heads.",
            "Give more photos, most of them seen from the front, and check their fits.",
        )
    return partners


def _places(
    model: MorphableModel, head: Float, views: Views, guess: Float, partners: NDArray[np.intp]
) -> tuple[NDArray[np.int32], Float]:
    """(468, 3) corners and weights of the best places near the guesses."""
    corners = np.zeros((N_MESH_POINTS, 3), np.int32)
    weights = np.zeros((N_MESH_POINTS, 3))
    paired = _paired(model)
    candidates = model.triangles[np.isin(model.triangles, paired).all(axis=1)]
    tree = KDTree(head[paired])
    left = np.flatnonzero((guess - guess[partners])[:, 0] <= 0)
    for point in tqdm(left.tolist(), "points", disable=None):
        other = int(partners[point])
        middle = (guess[point] + guess[other] * MIRROR) / 2
        near = paired[tree.query_ball_point(middle, REACH) or [tree.query(middle)[1]]]
        best = near[_gram(model, views, near[:, None], point, other)[:, 0, 0].argmin()]
        close = np.zeros(len(head), bool)
        close[paired[tree.query_ball_point(head[best], CLOSE)]] = True
        triangles = candidates[close[candidates].any(axis=1)]
        corners[point], weights[point] = _best(
            triangles, _gram(model, views, triangles, point, other)
        )
        if other != point:
            corners[other], weights[other] = model.mirror_indices[corners[point]], weights[point]
    return corners, weights


def _paired(model: MorphableModel) -> NDArray[np.intp]:
    """Vertices that have a partner on the other side of the face, or lie on the midline."""
    error = np.linalg.norm(model.mean[model.mirror_indices] - model.mean * MIRROR, axis=1)
    return np.flatnonzero(error < MIRROR_ERROR)


def _gram(model: MorphableModel, views: Views, corners: Int, point: int, other: int) -> Float:
    """(T, K, K) such that weights b of corners (T, K) cost b' G b on average.

    Both sides of the face count: a point at its corners, its partner at their mirror images.
    """
    vertices, inverse = np.unique(corners, return_inverse=True)
    inverse = inverse.reshape(corners.shape)
    total = np.zeros((*corners.shape, corners.shape[1]))
    for p, at in ((point, vertices), (other, model.mirror_indices[vertices])):
        residuals = (views.residuals(model, at, p) * np.sqrt(METRIC))[:, inverse]
        total += np.einsum("ntkd,ntld->tkl", residuals, residuals, optimize=True)
    return total / (2 * len(views.alpha))


def _best(triangles: Int, gram: Float) -> tuple[Int, Float]:
    """Triangle and barycentric weights of the least cost: inside a triangle or on an edge."""
    inside = np.linalg.solve(gram + 1e-9 * np.eye(3), np.ones((len(gram), 3, 1)))[..., 0]
    inside /= inside.sum(axis=1, keepdims=True)
    options = [np.where((inside >= 0).all(axis=1, keepdims=True), inside, np.nan)]
    for i, j in ((0, 1), (1, 2), (2, 0)):
        a, b, ab = gram[:, i, i], gram[:, j, j], gram[:, i, j]
        share = np.clip((b - ab) / np.maximum(a + b - 2 * ab, 1e-12), 0, 1)
        edge = np.zeros((len(gram), 3))
        edge[:, i], edge[:, j] = share, 1 - share
        options.append(edge)
    weights = np.stack(options, axis=1)
    cost = np.einsum("tok,tkl,tol->to", weights, gram, weights)
    triangle, option = np.unravel_index(np.nanargmin(cost), cost.shape)
    return triangles[triangle], weights[triangle, option]


def _errors(model: MorphableModel, views: Views, corners: Int, weights: Float) -> Float:
    """(468,) root mean square distance in the picture."""
    squares = [
        (np.einsum("k,nkd->nd", weights[p], views.residuals(model, corners[p], p)[..., :2]) ** 2)
        .sum(axis=1)
        .mean()
        for p in range(N_MESH_POINTS)
    ]
    return np.sqrt(squares)
