"""Optimisers, learning rates and input sizes over the course of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from backend.morphable_model.boxes import CROP_SIZE


@dataclass(frozen=True)
class OptimiserSettings:
    """Optimiser and learning rate.

    Attributes
    ----------
    name
        ``sgd`` with momentum 0.9 (the paper's), or ``adamw``.
    learning_rate
        The largest learning rate.
    weight_decay
        Weight decay; biases and normalisation layers are left out of it.
    schedule
        ``steps`` divides by ten at 60 % and 80 % of the epochs (the paper's 48 and 64 of 80);
        ``one-cycle`` warms up and falls along a cosine.
    warm_up
        Share of the training that a one-cycle schedule warms up for.
    """

    name: Literal["sgd", "adamw"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    schedule: Literal["steps", "one-cycle"] = "one-cycle"
    warm_up: float = 0.08


@dataclass(frozen=True)
class ResolutionStep:
    """From `start` (share of the training) on, crops have `size` pixels a side."""

    start: float = 0.0
    size: int = CROP_SIZE


def resolution_at(steps: tuple[ResolutionStep, ...], progress: float) -> int:
    """Input size at a point of the training."""
    return max((step for step in steps if step.start <= progress), key=lambda s: s.start).size


def one_cycle(progress: float, warm_up: float) -> float:
    """Share of the largest learning rate: a linear rise, then half a cosine down to zero.

    A function of progress alone, so that a resumed run may be given more epochs.
    """
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    falling = min(1.0, (progress - warm_up) / (1 - warm_up))
    return 0.5 * (1 + math.cos(math.pi * falling))


def build_optimiser(
    network: nn.Module, settings: OptimiserSettings, steps: int, epochs: int, fused: bool = True
) -> dict[str, Any]:
    """Optimiser and scheduler in the form that Lightning takes.

    `fused` steps are faster; Lightning does not clip their gradients in mixed precision.
    """
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    rate = settings.learning_rate
    optimiser: torch.optim.Optimizer
    if settings.name == "sgd":
        optimiser = torch.optim.SGD(groups, lr=rate, momentum=0.9)
    else:
        optimiser = torch.optim.AdamW(groups, lr=rate, fused=fused)
    if settings.schedule == "steps":
        scheduler: Any = torch.optim.lr_scheduler.MultiStepLR(
            optimiser, [round(0.6 * epochs), round(0.8 * epochs)], gamma=0.1
        )
        interval = "epoch"
    else:
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: one_cycle(step / steps, settings.warm_up)
        )
        interval = "step"
    return {
        "optimizer": optimiser,
        "lr_scheduler": {"scheduler": scheduler, "interval": interval},
    }
