"""Callbacks with which the tests look into trainings that run in processes of their own."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch


class FrozenNormalisation(L.Callback):
    """Holds batch statistics: then the mean gradient of two halves is that of the whole."""

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        pl_module.eval()


class PoisonedGradient(L.Callback):
    """Makes one gradient of one step infinite."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_after_backward(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.global_step == self.step and not getattr(self, "done", False):
            self.done = True
            next(p for p in pl_module.parameters() if p.grad is not None).grad.fill_(torch.inf)  # pyright: ignore[reportOptionalMemberAccess]


class SameWeights(L.Callback):
    """Fails at the end if the processes of a training have different weights."""

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        own = torch.cat([p.detach().reshape(-1) for p in pl_module.parameters()])
        everyone = pl_module.all_gather(own)
        assert isinstance(everyone, torch.Tensor)
        assert torch.equal(everyone, own.expand_as(everyone))
        if trainer.is_global_zero:
            print(f"weights of {len(everyone)} processes compared")
