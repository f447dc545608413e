"""What a validation measures, summed up over batches and processes."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics import MeanMetric

from training.evaluation.landmarks.angles import ANGLES, angle_errors, angles_of
from training.evaluation.landmarks.nme import YAW_BINS, normalised_mean_error, yaw_bins

ALIGNMENT = tuple(f"{kind}_{part}" for kind in ("refined", "coarse") for part in ("all", "inner"))
BY_YAW = {name: f"yaw_{name.replace('-', '_')}" for name in YAW_BINS}
ANGLE_NAMES = (*(f"angle_{name}" for name in ANGLES), "angle_mean")
ALL_NAMES = (*ALIGNMENT, *BY_YAW.values(), *ANGLE_NAMES)


class MeanErrors(nn.ModuleDict):
    """Running means of errors by name, over batches and processes."""

    def __init__(self, names: tuple[str, ...] = ALL_NAMES) -> None:
        super().__init__({name: MeanMetric(nan_strategy="ignore") for name in names})

    def add(self, name: str, errors: NDArray[np.floating]) -> None:
        """Take in errors of some faces; what is unknown of them is NaN."""
        metric = self._metric(name)
        metric.update(torch.as_tensor(errors, dtype=torch.float32, device=metric.device))

    def means(self) -> dict[str, Tensor]:
        """Return means by name, without those of which there was nothing; begins anew.

        All processes must ask, also one that has taken in nothing: each mean is made together.
        """
        metrics = {name: self._metric(name) for name in self}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The ``compute`` method")
            means = {name: metric.compute() for name, metric in metrics.items()}
        for metric in metrics.values():
            metric.reset()
        return {name: mean for name, mean in means.items() if mean.isfinite()}

    def _metric(self, name: str) -> MeanMetric:
        metric = self[name]
        assert isinstance(metric, MeanMetric)
        return metric


def add_photos(errors: MeanErrors, refined: Tensor, coarse: Tensor, points: Tensor) -> None:
    """Add errors against annotated points.

    Parameters
    ----------
    refined, coarse
        (N, 3, 68) crop pixels.
    points
        (N, 2, 68) annotated points.
    """
    truth = _rows(points)
    for kind, landmarks in (("refined", refined), ("coarse", coarse)):
        for part in ("all", "inner"):
            value = normalised_mean_error(_rows(landmarks), truth, part)
            errors.add(f"{kind}_{part}", value)


def add_views(
    errors: MeanErrors, refined: Tensor, parameters: Tensor, landmarks: Tensor, truth: Tensor
) -> None:
    """Add errors on views whose landmarks and pose are known: by yaw, and of angles.

    Parameters
    ----------
    refined, landmarks
        (N, 3, 68) found and true landmarks, crop pixels.
    parameters, truth
        (N, 62) found and true parameters.
    """
    angles = angles_of(truth.cpu().numpy())
    nme = normalised_mean_error(_rows(refined), _rows(landmarks))
    bins = yaw_bins(angles[:, 0])
    for index, name in enumerate(YAW_BINS):
        errors.add(BY_YAW[name], nme[bins == index])
    wrong = angle_errors(angles_of(parameters.cpu().numpy()), angles)
    for column, name in enumerate(ANGLES):
        errors.add(f"angle_{name}", wrong[:, column])
    errors.add("angle_mean", wrong.mean(axis=1))


def _rows(points: Tensor) -> NDArray[np.float32]:
    """Return (N, 2 or 3, P) -> (N, P, 2)."""
    return points[:, :2].transpose(1, 2).float().cpu().numpy()
