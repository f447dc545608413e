"""Averaging of weights over the course of a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

AveragingFunction = Callable[[Sequence[Tensor], Sequence[Tensor], "Tensor | int"], None]


def warming_average(decay: float) -> AveragingFunction:
    """Exponential moving average that forgets the untrained network.

    After n updates the decay is ``min(decay, (1 + n) / (10 + n))``. With a fixed decay the random
    initial weights would still be a large part of the average after thousands of steps.

    Returns
    -------
    A function for `torch.optim.swa_utils.AveragedModel`.
    """

    @torch.no_grad()
    def update(
        averaged: Sequence[Tensor], current: Sequence[Tensor], n_averaged: Tensor | int
    ) -> None:
        n = int(n_averaged)
        share = 1 - min(decay, (1 + n) / (10 + n))
        for kept, new in zip(averaged, current, strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, share)
            else:
                kept.copy_(new)

    return update
