"""Normalised mean error of landmarks, as the alignment literature measures it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

INNER = slice(17, 68)


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
    extent = truth.max(axis=1) - truth.min(axis=1)
    size = np.sqrt(extent.prod(axis=1))
    distance = np.linalg.norm(predicted[..., :2] - truth, axis=2)
    chosen = distance if part == "all" else distance[:, INNER]
    return 100 * chosen.mean(axis=1) / size
