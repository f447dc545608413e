"""Normalised mean error of landmarks, as the alignment literature measures it, and its yaw bins."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

INNER = slice(17, 68)

# |yaw| of at most 30, above 30 up to 60, above 60 degrees, as in 3DDFA's evaluation.
YAW_EDGES = (30.0, 60.0)
YAW_BINS = ("0-30", "30-60", "60-90")

# AFLW's 21 points from the 68 (counted from 0), as 3DDFA's evaluation maps them: corners and
# middle of each brow; outer corner, mean of the six points, inner corner of each eye; ear, nose
# wing, nose tip, nose wing, ear; mouth corner, mean of the eight inner lip points, mouth corner;
# chin. From the image's left to its right.
AFLW_FROM_68: tuple[tuple[int, ...], ...] = (
    (17,), (19,), (21,), (22,), (24,), (26,),
    (36,), tuple(range(36, 42)), (39,), (42,), tuple(range(42, 48)), (45,),
    (2,), (31,), (30,), (35,), (14,),
    (48,), tuple(range(60, 68)), (54,),
    (8,),
)  # fmt: skip


def box_size(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) size sqrt(width * height) of the upright box of (N, 68, 2 or 3) landmarks."""
    extent = np.ptp(np.asarray(landmarks[..., :2], np.float64), axis=1)
    return np.sqrt(extent.prod(axis=1))


def normalised_mean_error(
    predicted: NDArray[np.floating],
    truth: NDArray[np.floating],
    part: Literal["all", "inner"] = "all",
) -> NDArray[np.float64]:
    """Mean distance in percent of the size of the true landmarks' bounding box, sqrt(w * h).

    Parameters
    ----------
    predicted, truth
        (N, 68, 2) in the same frame; further columns are ignored.
    part
        All 68 points, or the 51 without the jaw. The box is always that of all 68.

    Returns
    -------
    (N,) percent.
    """
    truth = np.asarray(truth[..., :2], np.float64)
    distance = np.linalg.norm(predicted[..., :2] - truth, axis=2)
    chosen = distance if part == "all" else distance[:, INNER]
    return 100 * chosen.mean(axis=1) / box_size(truth)


def mean_offset(
    predicted: NDArray[np.floating], truth: NDArray[np.floating]
) -> NDArray[np.float64]:
    """How far answers lie beside the truth on average: what all photos' inner points share.

    Parameters
    ----------
    predicted, truth
        (N, 68, 2) in the same frame; further columns are ignored.

    Returns
    -------
    (2,) right and down, in percent of the size that `normalised_mean_error` is measured in.
    """
    truth = np.asarray(truth[..., :2], np.float64)
    step = (predicted[..., :2] - truth)[:, INNER].mean(axis=1)
    return 100 * (step / box_size(truth)[:, None]).mean(axis=0)


def common_error(
    first: NDArray[np.floating], second: NDArray[np.floating], truth: NDArray[np.floating]
) -> float:
    """How much of the first answers' squared error the second ones have too.

    Errors of networks that have nothing in common are independent; what they share is the truth's
    own error, and what the picture misleads both about. What each landmark lies off on average is
    taken away before: that is a matter of convention.

    Parameters
    ----------
    first, second, truth
        (N, 68, 2) in the same frame; further columns and the jaw are ignored.

    Returns
    -------
    Covariance of the two errors of the inner points over the first's variance; NaN for less than
    two photos.
    """
    if len(truth) < 2:
        return float("nan")
    own, other = (_scatter(answer, truth) for answer in (first, second))
    return float((own * other).sum() / (own**2).sum())


def _scatter(predicted: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, 51, 2) errors of inner points in parts of the size, without their means over photos."""
    truth = np.asarray(truth[..., :2], np.float64)
    error = (predicted[..., :2] - truth)[:, INNER] / box_size(truth)[:, None, None]
    return error - error.mean(axis=0)


def aflw_points(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, 68, C) landmarks -> (N, 21, C) points as AFLW annotates them, see `AFLW_FROM_68`."""
    groups = [landmarks[:, list(group)].mean(axis=1) for group in AFLW_FROM_68]
    return np.stack(groups, axis=1).astype(np.float64)


def aflw_error(
    predicted: NDArray[np.floating],
    points: NDArray[np.floating],
    truth: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Error of AFLW's 21 points in percent of the size of the 68 points' box.

    Parameters
    ----------
    predicted
        (N, 68, 2) landmarks.
    points
        (N, 21, 2) annotated points in the same frame, NaN where one is missing.
    truth
        (N, 68, 2) annotated landmarks, whose box gives the size.

    Returns
    -------
    (N,) percent, the mean over the points that are there; NaN where there is none.
    """
    distance = np.linalg.norm(aflw_points(predicted[..., :2]) - points, axis=2)
    there = np.isfinite(distance)
    total = np.where(there, distance, 0).sum(axis=1)
    count = there.sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return 100 * mean / box_size(truth)


def yaw_bins(yaw: NDArray[np.floating]) -> NDArray[np.intp]:
    """Index into `YAW_BINS` of (N,) degrees of either sign; -1 where the yaw is not known."""
    index = np.searchsorted(YAW_EDGES, np.abs(yaw), side="left")
    return np.where(np.isnan(yaw), -1, index)


def means_by_yaw(error: NDArray[np.floating], yaw: NDArray[np.floating]) -> dict[str, float | None]:
    """Mean of (N,) errors in each yaw bin; None where a bin is empty."""
    bins = yaw_bins(yaw)
    inside = {name: error[bins == index] for index, name in enumerate(YAW_BINS)}
    return {name: float(e.mean()) if len(e) else None for name, e in inside.items()}


def mean_of_bins(means: dict[str, float | None]) -> float | None:
    """Unweighted mean of the yaw bins, the literature's "All"; None if one of them is empty."""
    values = [value for value in means.values() if value is not None]
    return float(np.mean(values)) if len(values) == len(means) else None
