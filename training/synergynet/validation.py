"""What a validation measures, summed up over batches and processes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.evaluation.landmarks.angles import ANGLES, angle_errors, angles_of
from training.evaluation.landmarks.nme import YAW_BINS, normalised_mean_error, yaw_bins


class MeanErrors:
    """Running means by name; every process holds the same names in the same order."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.sums = np.zeros((2, len(names)))

    def add(self, name: str, errors: NDArray[np.floating]) -> None:
        """Take in errors of some faces."""
        finite = errors[np.isfinite(errors)]
        self.sums[:, self.names.index(name)] += finite.sum(), len(finite)

    def totals(self, device: torch.device) -> Tensor:
        """(2, names) sums and counts, to be added up over the processes."""
        return torch.as_tensor(self.sums, dtype=torch.float32, device=device)

    def means(self, totals: Tensor) -> dict[str, float]:
        """Means by name, without those of which there was nothing."""
        sums, counts = totals.cpu().numpy()
        pairs = zip(self.names, sums, counts, strict=True)
        return {name: float(total / count) for name, total, count in pairs if count > 0}


ALIGNMENT = tuple(f"{kind}_{part}" for kind in ("refined", "coarse") for part in ("all", "inner"))
BY_YAW = {name: f"yaw_{name.replace('-', '_')}" for name in YAW_BINS}
ANGLE_NAMES = (*(f"angle_{name}" for name in ANGLES), "angle_mean")
ALL_NAMES = (*ALIGNMENT, *BY_YAW.values(), *ANGLE_NAMES)


def add_photos(errors: MeanErrors, refined: Tensor, coarse: Tensor, points: Tensor) -> None:
    """Errors against annotated points.

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
    """Errors on views whose landmarks and pose are known: by yaw, and of the angles.

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
    """(N, 2 or 3, P) -> (N, P, 2)."""
    return points[:, :2].transpose(1, 2).float().cpu().numpy()
