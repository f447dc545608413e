"""Orientation: mean absolute error of yaw, pitch and roll."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from training.evaluation.landmarks.angles import (
    ANGLES,
    CONVENTIONS,
    LARGEST_ANGLE,
    angle_errors,
    counts,
)
from training.evaluation.landmarks.nme import YAW_BINS, mean_of_bins, means_by_yaw, yaw_bins
from training.evaluation.landmarks.predictions import Predictions
from training.evaluation.tables import Table
from training.readers.annotations import Annotations

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Orientation:
    """Errors of M photos whose orientation is annotated and for which every row has an answer.

    Attributes
    ----------
    photos
        Number of photos, measured or not.
    undetected
        Names of those without an answer of the first row.
    excluded
        How many were left out for an annotated angle beyond 99 degrees.
    yaw
        (M,) annotated yaw in degrees.
    errors
        By row and convention, (M, 3) absolute errors of yaw, pitch, roll in degrees; NaN where
        an angle is not annotated.
    """

    photos: int
    undetected: tuple[str, ...]
    excluded: int
    yaw: Array
    errors: dict[str, dict[str, Array]]


def measure_orientation(
    annotations: Annotations, predictions: Predictions, peers: dict[str, Predictions]
) -> Orientation:
    """Compare angles with annotated ones, all rows on the same photos.

    Angles that came without parameters are compared as they are, as ``given``.

    Raises
    ------
    BadInputError
        No orientation is annotated, or an answer has none.
    """
    truth = annotations.ypr
    if not np.isfinite(truth).any():
        raise BadInputError(
            "The annotations say nothing about orientation.",
            "They need ypr (N, 3) in degrees, or parameters.",
        )
    rows: dict[str, dict[str, Array]] = {}
    for name, answers in {"": predictions, **peers}.items():
        if np.isfinite(answers.ypr).any() and not answers.parameters:
            rows[name or "predictions"] = {"given": answers.ypr}
        for row in answers.parameters:
            rows[name or row] = {c: answers.angles(row, c) for c in CONVENTIONS}
        if not np.isfinite(answers.ypr).any() and not answers.parameters:
            raise BadInputError(
                f"The predictions {name} have no orientation.".replace("  ", " "),
                "They need params (N, 62) or ypr (N, 3) in degrees.",
            )
    found = [np.isfinite(a).all(axis=1) for row in rows.values() for a in row.values()]
    answered = np.logical_and.reduce(found)
    measured = answered & counts(truth)
    return Orientation(
        photos=len(annotations),
        undetected=tuple(str(name) for name in annotations.names[~predictions.found]),
        excluded=int((np.abs(np.nan_to_num(truth)) > LARGEST_ANGLE).any(axis=1).sum()),
        yaw=truth[measured, 0],
        errors={
            name: {c: angle_errors(a[measured], truth[measured]) for c, a in row.items()}
            for name, row in rows.items()
        },
    )


def orientation_report(orientation: Orientation) -> dict[str, Any]:
    """What is printed as JSON.

    Returns
    -------
    ``n``, ``detected``, ``undetected``, ``measured``, ``excluded``, ``exclusion`` (the rule),
    ``count`` by yaw bin; ``mae`` by row and convention, in degrees: ``yaw``, ``pitch``, ``roll``,
    ``mean`` (of the three), ``by_yaw`` (the mean in each bin of the annotated yaw) and
    ``mean_of_bins``. None where there is nothing.
    """
    bins = yaw_bins(orientation.yaw)
    return {
        "n": orientation.photos,
        "detected": orientation.photos - len(orientation.undetected),
        "undetected": list(orientation.undetected),
        "measured": len(orientation.yaw),
        "excluded": orientation.excluded,
        "exclusion": f"any annotated |angle| > {LARGEST_ANGLE:g}",
        "count": {name: int((bins == index).sum()) for index, name in enumerate(YAW_BINS)},
        "mae": {
            name: {c: summarise(error, orientation.yaw) for c, error in row.items()}
            for name, row in orientation.errors.items()
        },
    }


def summarise(errors: Array, yaw: Array) -> dict[str, Any]:
    """Means of (M, 3) errors in degrees, see `orientation_report`."""
    known = [bool(np.isfinite(column).any()) for column in errors.T]
    means = [float(np.nanmean(e)) if k else None for e, k in zip(errors.T, known, strict=True)]
    there = [value for value in means if value is not None]
    mean = errors[:, known].mean(axis=1) if there else np.full(len(errors), np.nan)
    by_yaw = means_by_yaw(mean, yaw)
    return {
        **dict(zip(ANGLES, means, strict=True)),
        "mean": float(np.mean(there)) if len(there) == len(means) else None,
        "by_yaw": by_yaw,
        "mean_of_bins": mean_of_bins(by_yaw),
    }


def orientation_table(report: dict[str, Any]) -> Table:
    """The report as a table, in the columns of the paper's and our own."""
    rows = tuple(
        (
            f"{name}, {convention} angles",
            [*(row[a] for a in (*ANGLES, "mean")), *row["by_yaw"].values(), row["mean_of_bins"]],
        )
        for name, conventions in report["mae"].items()
        for convention, row in conventions.items()
    )
    return Table("MAE degrees", (*ANGLES, "mean", *YAW_BINS, "bins' mean"), rows)


def orientation_notes(report: dict[str, Any]) -> list[str]:
    """What one must know to read the table."""
    count = ", ".join(f"{name}: {n}" for name, n in report["count"].items())
    return [
        f"{report['n']} photos, {report['detected']} with an answer, {report['measured']} measured",
        f"left out: {report['excluded']} ({report['exclusion']}); photos by |yaw|: {count}",
    ]
