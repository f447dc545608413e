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


class DifferentDraws(L.Callback):
    """Fails if processes of a training draw the same numbers in a step."""

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        everyone = pl_module.all_gather(torch.rand(4))
        assert isinstance(everyone, torch.Tensor)
        assert len(torch.unique(everyone, dim=0)) == trainer.world_size > 1


class BrokenPicture(L.Callback):
    """Spoils one pixel of one picture of a step before the first network sees it."""

    def __init__(self, network: str, step: int, rank: int = 0) -> None:
        self.network = network
        self.step = step
        self.rank = rank

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # Of a generator and of an image network alike, the first convolution takes the pictures.
        network = pl_module.get_submodule(self.network)
        first = next(m for m in network.modules() if isinstance(m, torch.nn.Conv2d))
        self.seen = 0
        if trainer.global_rank == self.rank:
            first.register_forward_pre_hook(self._spoil)

    def _spoil(self, layer: torch.nn.Module, arguments: tuple[torch.Tensor]) -> tuple[Any, ...]:
        pictures = arguments[0]
        if self.seen == self.step:
            pictures = pictures.clone()
            pictures[-1, 0, 30, 30] = torch.nan
        self.seen += 1
        return (pictures,)
