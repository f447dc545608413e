"""The face model fitted to points: pose, shape and expression of many faces at once.

Weak perspective. The squared distances in pixels of the 120x120 crop, plus a ridge on the whitened
coefficients, ``shape_ridge * |w_shape|^2 + expression_ridge * |w_exp|^2``, become least; whitening
is that of 300W-LP's parameters, ``w = (alpha - mean) / sigma``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backend.fitting.gauss_newton import N_MOTION, PointFit, first_pose, placed_points, solve
from backend.fitting.surface_points import JawOutline, SurfacePoints
from backend.geometry.pose import euler_angles
from backend.morphable_model.boxes import RoiBox, RoiBoxes
from backend.morphable_model.model import (
    N_EXPRESSION,
    N_POSE,
    N_SHAPE,
    MorphableModel,
)
from backend.morphable_model.parameters import FaceParameters

Float = NDArray[np.floating]

# Depth of the model's origin, which no picture shows: the fits of 300W-LP hold this number.
ORIGIN_DEPTH = -66.67186
MIN_POINTS = 12
# Faces that are fitted at once: few enough for the arrays to stay small.
BATCH = 64
# Scaled median absolute deviations above the median at which a fit counts as an outlier. So that
# a few photos that all fit well have none, its error must be this many times the median, too.
OUTLIER_DEVIATIONS, OUTLIER_FACTOR = 5.0, 2.0


@dataclass(frozen=True)
class FitSettings:
    """How to fit.

    Attributes
    ----------
    shape_ridge, expression_ridge
        Weights of the squared whitened coefficients, for 68 points and for the mesh alike. With
        larger ones for the mesh the shapes of a person's frames differ more, in parts of the
        total variance (5: 0.659, 20: 0.665, 100: 0.690 on 660 frames).
    iterations
        Steps of Gauss-Newton.
    depth_weight
        Weight of the squared errors in depth, for points that have any.
    box
        Around what the roi boxes are laid: the given points or the fitted landmarks.
    """

    shape_ridge: float = 5.0
    expression_ridge: float = 2.0
    iterations: int = 6
    depth_weight: float = 0.1
    box: Literal["points", "landmarks"] = "points"


@dataclass(frozen=True)
class Fits:
    """N fitted faces.

    Attributes
    ----------
    boxes
        (N, 4) float32, roi boxes x0, y0, x1, y1 in image pixels.
    parameters
        (N, 62) float32 in the crop frame of the boxes, not whitened.
    landmarks
        (N, 68, 3) float32, image frame; those of the jaw on the bone.
    errors
        (N,) float32, mean distance of the points from the given ones, in percent of the square
        root of the area of the given points' box.
    angles
        (N, 3) float32, yaw, pitch, roll in degrees (`exact`, see `backend.geometry.pose`).
    """

    boxes: NDArray[np.float32]
    parameters: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    errors: NDArray[np.float32]
    angles: NDArray[np.float32]

    @property
    def outliers(self) -> NDArray[np.bool_]:
        """(N,) whether a fit's error is far above the others'.

        By 5 scaled median absolute deviations above the median, and twice as large as it at least.
        """
        median = np.median(self.errors)
        spread = 1.4826 * np.median(np.abs(self.errors - median))
        limit = max(median + OUTLIER_DEVIATIONS * spread, OUTLIER_FACTOR * median)
        return self.errors > limit


def fit(
    model: MorphableModel,
    surface: SurfacePoints,
    points: NDArray[np.floating],
    settings: FitSettings | None = None,
    jaw: JawOutline | None = None,
    progress: Callable[[int], object] = lambda done: None,
) -> Fits:
    """Fit the model to points of N faces.

    Parameters
    ----------
    model
        The morphable model.
    surface
        Which P points of the model are meant.
    points
        (N, P, 2) image pixels (0-based, y down), or (N, P, 3) with z to the viewer in the same
        scale, up to a constant. NaN where there is none; every face has at least `MIN_POINTS`.
    settings
        Weights and steps.
    jaw
        Lets the first 17 points move along the silhouette, as 2D annotations do.
    progress
        Called with the number of faces of each batch that is done.
    """
    settings = settings or FitSettings()
    parts: list[Fits] = []
    for start in range(0, len(points), BATCH):
        batch = points[start : start + BATCH].astype(np.float64)
        parts.append(_fit_batch(model, surface, batch, settings, jaw))
        progress(len(batch))
    return Fits(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Fits)))


def _fit_batch(
    model: MorphableModel,
    surface: SurfacePoints,
    points: Float,
    settings: FitSettings,
    jaw: JawOutline | None,
) -> Fits:
    boxes = RoiBoxes.of([RoiBox.around(p[np.isfinite(p[:, 0])]) for p in points])
    targets = boxes.to_crop(_with_depth(points))[..., : points.shape[2]]
    given = np.isfinite(targets)
    importance = np.array([1, 1, settings.depth_weight])[: points.shape[2]]
    ridges = [0.0, settings.shape_ridge, settings.expression_ridge]
    prior = np.repeat(ridges, [N_MOTION, N_SHAPE, N_EXPRESSION])
    task = PointFit(surface, np.where(given, targets, 0), given * importance, prior, jaw)
    found = solve(task, first_pose(task), settings.iterations)
    errors = _errors(targets, placed_points(task, found))
    found.pose.translation[:, 2] = ORIGIN_DEPTH
    alpha = model.parameter_mean[N_POSE:] + model.parameter_std[N_POSE:] * found.coefficients
    faces = FaceParameters.of(found.pose, alpha)
    if settings.box == "landmarks":
        around = RoiBoxes.around(boxes.to_image(faces.landmarks(model)))
        faces, boxes = faces.in_box(boxes, around), around
        faces.matrix[:, 2, 3] = ORIGIN_DEPTH
    return Fits(
        boxes.corners.astype(np.float32),
        np.asarray(faces.numbers, np.float32),
        boxes.to_image(faces.landmarks(model)).astype(np.float32),
        errors.astype(np.float32),
        euler_angles(faces.pose.rotation).astype(np.float32),
    )


def _with_depth(points: Float) -> Float:
    """(N, P, 3): 0 where no depth was given, else depth relative to the face's mean."""
    if points.shape[2] == 2:
        return np.concatenate([points, np.zeros_like(points[..., :1])], axis=2)
    depth = points[..., 2:]
    return np.concatenate([points[..., :2], depth - np.nanmean(depth, axis=1)[:, None]], axis=2)


def _errors(targets: Float, placed: Float) -> Float:
    """(N,) percent, see `Fits.errors`."""
    plane = targets[..., :2]
    distance = np.nanmean(np.linalg.norm(placed[..., :2] - plane, axis=2), axis=1)
    extent = np.nanmax(plane, axis=1) - np.nanmin(plane, axis=1)
    return 100 * distance / np.sqrt(extent.prod(axis=1))
