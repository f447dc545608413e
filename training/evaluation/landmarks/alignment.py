"""Alignment: normalised mean error of landmarks over all, over the inner face, by yaw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.morphable_model.boxes import CROP_SIZE
from training.evaluation.landmarks.nme import (
    YAW_BINS,
    aflw_error,
    common_error,
    mean_of_bins,
    mean_offset,
    means_by_yaw,
    normalised_mean_error,
    yaw_bins,
)
from training.evaluation.landmarks.predictions import COARSE, REFINED, Predictions
from training.evaluation.landmarks.seen_jaw import SUFFIX
from training.evaluation.tables import Table
from training.readers.annotations import Annotations

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Alignment:
    """Errors of M photos that are annotated and for which every row has an answer.

    Attributes
    ----------
    photos
        Number of photos, measured or not.
    undetected
        Names of those without an answer of the first row.
    identities
        (M,) who is shown.
    yaw
        (M,) degrees, NaN where not known.
    yaw_from
        ``annotations``, or ``prediction`` where these say nothing about it.
    errors
        By row, (M,) NME in percent over all points.
    inner
        By row, (M,) over the 51 points without the jaw; none for AFLW's 21 points.
    offsets
        By row, (2,) how far right and down of the annotated inner points the answers lie on
        average, in percent.
    common
        By peer, which part of the squared error of the first row's inner points the peer has too.
    refinement
        (M, 68) squared distance between refined and coarse landmarks in crop pixels,
        |L_r - L_c|^2, where both are known.
    """

    photos: int
    undetected: tuple[str, ...]
    identities: NDArray[np.str_]
    yaw: Array
    yaw_from: str
    errors: Mapping[str, Array]
    inner: Mapping[str, Array]
    offsets: Mapping[str, Array]
    common: Mapping[str, float]
    refinement: Array | None


def measure_alignment(
    annotations: Annotations, predictions: Predictions, peers: dict[str, Predictions]
) -> Alignment:
    """Compare answers with annotations, all rows on the same photos.

    AFLW's 21 points are measured where they are annotated, else the 68.

    Raises
    ------
    BadInputError
        No photo is annotated.
    """
    truth = annotations.points
    annotated = np.isfinite(truth).all(axis=(1, 2))
    if not annotated.any():
        raise BadInputError("None of the photos has 68 annotated points.", "Check --landmarks.")
    rows = predictions.landmarks | {
        name: next(iter(peer.landmarks.values())) for name, peer in peers.items()
    }
    found = [peer.found for peer in (predictions, *peers.values())]
    measured = np.logical_and.reduce([annotated, *found])
    known = np.isfinite(annotations.ypr[measured, 0])
    yaw_from = "annotations" if known.any() else "prediction"
    yaw = annotations.ypr[:, 0] if known.any() else predictions.best_angles[:, 0]
    truth = truth[measured]
    chosen = {name: row[measured] for name, row in rows.items()}
    if annotations.has_aflw_points:
        points = annotations.points21[measured]
        errors = {name: aflw_error(row, points, truth) for name, row in chosen.items()}
        inner = {}
    else:
        errors = {name: normalised_mean_error(row, truth) for name, row in chosen.items()}
        inner = {name: normalised_mean_error(row, truth, "inner") for name, row in chosen.items()}
    return Alignment(
        photos=len(annotations),
        undetected=tuple(str(name) for name in annotations.names[~predictions.found]),
        identities=annotations.identities[measured],
        yaw=yaw[measured],
        yaw_from=yaw_from,
        errors=errors,
        inner=inner,
        offsets={name: mean_offset(row, truth) for name, row in chosen.items() if measured.any()},
        common=_common(chosen, peers, truth) if inner else {},
        refinement=_refinement(predictions, measured),
    )


def _common(
    rows: Mapping[str, Array], peers: Mapping[str, Predictions], truth: Array
) -> dict[str, float]:
    first = next(iter(rows.values()))
    own = [name for name in peers if not name.endswith(SUFFIX)]  # only the jaw is another
    shares = {name: common_error(first, rows[name], truth) for name in own}
    return {name: share for name, share in shares.items() if np.isfinite(share)}


def _refinement(predictions: Predictions, measured: NDArray[np.bool_]) -> Array | None:
    rows = predictions.landmarks
    if not (REFINED in rows and COARSE in rows):
        return None
    pixels = np.ptp(predictions.boxes[measured][:, [0, 2]], axis=1)[:, None, None] / CROP_SIZE
    moved = (rows[REFINED][measured] - rows[COARSE][measured]) / pixels
    return (moved**2).sum(axis=2)


def alignment_report(alignment: Alignment) -> dict[str, Any]:
    """What is printed as JSON.

    Returns
    -------
    ``n``, ``detected``, ``undetected``; ``measured``, the photos behind the errors; ``people``;
    ``yaw_from``; ``count`` by yaw bin; ``nme`` by row, in percent: ``all`` (the plain mean over
    photos of the error of all points), ``inner``, ``yaw`` (mean of each bin), ``mean_of_bins``
    (their unweighted mean, which the literature's tables call All); ``offset`` by row, percent
    right and down of the annotations; ``common`` by peer, see `Alignment`. None where there is
    nothing.
    """
    bins = yaw_bins(alignment.yaw)
    report: dict[str, Any] = {
        "n": alignment.photos,
        "detected": alignment.photos - len(alignment.undetected),
        "undetected": list(alignment.undetected),
        "measured": len(alignment.yaw),
        "people": len(np.unique(alignment.identities)),
        "yaw_from": alignment.yaw_from,
        "count": {name: int((bins == index).sum()) for index, name in enumerate(YAW_BINS)},
        "nme": {
            row: summarise(error, alignment.inner.get(row), alignment.yaw)
            for row, error in alignment.errors.items()
        },
    }
    report["offset"] = {row: offset.tolist() for row, offset in alignment.offsets.items()}
    report["common"] = dict(alignment.common)
    if alignment.refinement is not None and len(alignment.yaw):
        report["refinement_px2"] = float(np.median(alignment.refinement))
    return report


def summarise(error: Array, inner: Array | None, yaw: Array) -> dict[str, Any]:
    """Means of (M,) errors in percent, see `alignment_report`."""
    by_yaw = means_by_yaw(error, yaw)
    return {
        "all": _mean(error),
        "inner": None if inner is None else _mean(inner),
        "yaw": by_yaw,
        "mean_of_bins": mean_of_bins(by_yaw),
    }


def alignment_table(report: dict[str, Any]) -> Table:
    """The report as a table, in the columns of the paper's and our own."""
    rows = tuple(
        (name, [*row["yaw"].values(), row["mean_of_bins"], row["all"], row["inner"]])
        for name, row in report["nme"].items()
    )
    return Table("NME %", (*YAW_BINS, "bins' mean", "all", "inner 51"), rows)


def alignment_notes(report: dict[str, Any]) -> list[str]:
    """What one must know to read the table."""
    count = ", ".join(f"{name}: {n}" for name, n in report["count"].items())
    notes = [
        f"{report['n']} photos, {report['detected']} with an answer, "
        f"{report['measured']} measured, of {report['people']} people",
        f"|yaw| from the {report['yaw_from']}; photos by |yaw|: {count}",
        "all: plain mean over photos; bins' mean: unweighted mean of the yaw bins",
    ]
    notes += [
        f"{row}: inner points {x:+.2f} % right and {y:+.2f} % down of the annotated ones on average"
        for row, (x, y) in report["offset"].items()
    ]
    notes += [
        f"{share:.0%} of the squared error of our inner points is {name}'s too: of networks that "
        "have nothing in common, that is mostly the annotations' own"
        for name, share in report["common"].items()
    ]
    if report["undetected"]:
        notes.append("no answer for: " + ", ".join(report["undetected"]))
    return notes


def _mean(values: Array) -> float | None:
    return float(values.mean()) if len(values) else None
