"""3DMM texture fitting as a way to complete textures: what a network has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.data.held_out import are_held_out
from training.evaluation.textures.completion import Chart, Completion, TurnedView, turned_view
from training.evaluation.textures.metrics import psnr
from training.texture_gan.pairs import MADE, Pairs
from training.texture_gan.pca import COMPONENTS, TexturePca

# Each takes 0.8 MB of memory three times over.
MOST_PEOPLE = 400
# The ridge is chosen on further people of the training.
TUNING_PEOPLE = 12
RIDGES = (1e-6, 1e-5, 1e-4, 1e-3)


def fitting_completions(pairs: Pairs, chart: Chart, one_in: int) -> dict[str, Completion]:
    """Fitting of the training people's principal components, and of the Basel Face Model's.

    The latter is there if the user has imported that model's own file. Both are given the view's
    tone of light.
    """
    rows, tuning = _training_rows(pairs, one_in)
    if len(rows) < 2 or not len(tuning):
        return {}
    count = min(COMPONENTS, len(rows) - 1)
    models = {"PCA fitting": TexturePca.of(pairs.textures[rows], pairs.masks[rows], count)}
    basel = TexturePca.of_model(chart.model, chart.uv_map)
    if basel is not None:
        models["BFM fitting"] = basel
    views = [turned_view(pairs, int(row)) for row in tuning]
    return {name: _fitting(pca.with_light(), views) for name, pca in models.items()}


def _training_rows(pairs: Pairs, one_in: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Photos of the training for the components, and others for the ridge."""
    left_out = are_held_out(pairs.identities, one_in)
    rows = np.flatnonzero(~left_out & (pairs.done == MADE))
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), MOST_PEOPLE + TUNING_PEOPLE)).astype(int)
    tuning = np.zeros(len(chosen), bool)
    tuning[:: max(2, len(chosen) // TUNING_PEOPLE)] = True
    return rows[chosen[~tuning]], rows[chosen[tuning]]


def _fitting(pca: TexturePca, tuning: list[TurnedView]) -> Completion:
    """Fitting with the ridge that completes some views best."""

    def fitted(view: TurnedView, ridge: float) -> NDArray[np.float32]:
        return np.clip(pca.fit(view.filled, view.believed, ridge), 0, 1)

    def quality(ridge: float) -> float:
        found = [psnr(fitted(view, ridge), view.truth, view.hidden) for view in tuning]
        finite = [value for value in found if np.isfinite(value)]
        return float(np.mean(finite)) if finite else 0.0

    best = max(RIDGES, key=quality)
    return lambda view: fitted(view, best)
