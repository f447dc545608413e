"""Identity: whether the same person's shape stays put over different photos."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from training.evaluation.landmarks.predictions import COARSE, Predictions
from training.evaluation.tables import Table
from training.readers.annotations import Annotations


def within_over_total(alpha: NDArray[np.floating], identities: NDArray[np.str_]) -> float | None:
    """Share of the variance that is between photos of the same person.

    Parameters
    ----------
    alpha
        (N, K) coefficients.
    identities
        (N,) who is shown. People with one photo do not count.

    Returns
    -------
    Sum over coefficients of the mean squared distance to the person's mean, over the sum of the
    mean squared distance to the mean of all photos: 0 if a person always looks the same, 1 if
    people cannot be told apart. None unless two people have two photos each.
    """
    alpha = np.asarray(alpha, np.float64)
    _, person, photos = np.unique(identities, return_inverse=True, return_counts=True)
    repeated = photos[person] > 1
    alpha, identities = alpha[repeated], identities[repeated]
    people, person, photos = np.unique(identities, return_inverse=True, return_counts=True)
    if len(people) < 2:
        return None
    mean = np.stack([np.bincount(person, column) for column in alpha.T], axis=1) / photos[:, None]
    within = ((alpha - mean[person]) ** 2).mean(axis=0).sum()
    total = alpha.var(axis=0).sum()
    return float(within / total) if total > 0 else None


def identity_report(
    annotations: Annotations,
    predictions: Predictions,
    peers: dict[str, Predictions],
    model: MorphableModel,
) -> dict[str, Any]:
    """How far a person's shape varies, all rows on the same photos.

    Returns
    -------
    ``photos``, ``people``; ``within_over_total`` by row: ``alpha_shape`` (in its own units, as
    the design's figures are), and ``sigma`` (each coefficient in standard deviations of the
    morphable model).

    Raises
    ------
    BadInputError
        A row has no parameters.
    """
    rows: dict[str, NDArray[np.floating]] = {}
    for name, answers in {"ours": predictions, **peers}.items():
        if not answers.parameters:
            raise BadInputError(
                f"The predictions of {name} have no parameters.", "They need params (N, 62)."
            )
        parameters = answers.parameters.get(COARSE, next(iter(answers.parameters.values())))
        rows[name] = FaceParameters(parameters).alpha_shape
    there = np.logical_and.reduce([np.isfinite(row).all(axis=1) for row in rows.values()])
    identities = annotations.identities[there]
    return {
        "photos": int(there.sum()),
        "people": len(np.unique(identities)),
        "within_over_total": {
            name: {
                "alpha_shape": within_over_total(row[there], identities),
                "sigma": within_over_total(row[there] / model.shape_sigma, identities),
            }
            for name, row in rows.items()
        },
    }


def identity_table(report: dict[str, Any]) -> Table:
    """The report as a table."""
    rows = tuple(
        (name, [row["alpha_shape"], row["sigma"]])
        for name, row in report["within_over_total"].items()
    )
    return Table("variance of a person / of all", ("alpha_shape", "in sigma"), rows)
