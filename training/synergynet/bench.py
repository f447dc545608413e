"""How fast the training runs: the loader alone, the steps alone, and both together.

What is timed is the training itself: Lightning's trainer with the config's model, optimiser and
precision, less its logs, validation and checkpoints.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import lightning as L
import torch
from lightning.pytorch.cli import LightningCLI
from torch.utils.data import DataLoader

from training.data.packed import PackedBatch
from training.data.sampling import ResumableLoader
from training.synergynet.data_module import PackedFacesModule
from training.synergynet.module import SynergyModule
from training.synergynet.schedule import ResolutionStep

WARM_UP = 5


@dataclass(frozen=True)
class Rates:
    """Images per second at one input size.

    Attributes
    ----------
    size
        Side of the network's input in pixels.
    refines
        Whether the landmarks were refined and read back.
    loader
        Reading and decoding.
    step
        Augmentation, both passes and the optimiser, on one batch over and over.
    joint
        The training: both at once.
    """

    size: int
    refines: bool
    loader: float
    step: float
    joint: float


class _Faces(PackedFacesModule):
    """Packed faces; `repeated` takes the loader's place."""

    repeated: list[PackedBatch] | None = None

    def train_dataloader(self) -> Any:
        if self.repeated is None:
            return super().train_dataloader()
        return DataLoader(self.repeated, batch_size=None)  # pyright: ignore[reportArgumentType]


class _Clock(L.Callback):
    """Notes when the warm-up ends and when the last step does."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.done = 0
        self.start = 0.0
        self.seconds = 0.0

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: PackedBatch,
        batch_idx: int,
    ) -> None:
        self.done += 1
        if self.done in (WARM_UP, WARM_UP + self.steps):
            if pl_module.device.type == "cuda":
                torch.cuda.synchronize()
            self.seconds = time.perf_counter() - self.start
            self.start = time.perf_counter()


def measure(config: str, options: Sequence[str], steps: int) -> list[Rates]:
    """Time the training at each of its input sizes.

    Parameters
    ----------
    config
        A config of `synergyface train`.
    options
        Options of it, as on the command line.
    steps
        Steps to time, after a short warm-up.
    """
    # What Lightning says of each of the short runs is of no use here.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"lightning\.")
    cli = LightningCLI(
        SynergyModule,
        _Faces,
        args=["--config", config, *options],
        run=False,
        save_config_callback=None,
        trainer_defaults={"logger": False},
    )
    module, data = cli.model, cli.datamodule
    assert isinstance(module, SynergyModule)
    assert isinstance(data, _Faces)
    loader = data.train_dataloader()
    batch = next(iter(_epochs(loader)))
    loading = _loader_rate(loader, steps, data.batch_size)
    refine_from, rates = module.refine_from, []
    for stage in sorted(module.resolutions, key=lambda step: step.start):
        refines = refine_from <= stage.start
        module.resolutions = (ResolutionStep(0.0, stage.size),)
        module.refine_from = 0.0 if refines else 2.0
        data.repeated = [batch] * (WARM_UP + steps)
        step = _training_rate(cli, module, data, steps)
        data.repeated = None
        joint = _training_rate(cli, module, data, steps)
        rates.append(Rates(stage.size, refines, loading, step, joint))
    return rates


def _epochs(loader: ResumableLoader) -> Iterator[PackedBatch]:
    for epoch in count():
        loader.order.set_epoch(epoch)
        yield from loader


def _loader_rate(loader: ResumableLoader, steps: int, batch_size: int) -> float:
    batches = _epochs(loader)
    list(islice(batches, WARM_UP))
    start = time.perf_counter()
    for _ in islice(batches, steps):
        pass
    return steps * batch_size / (time.perf_counter() - start)


def _training_rate(cli: LightningCLI, module: SynergyModule, data: _Faces, steps: int) -> float:
    clock = _Clock(steps)
    trainer = cli.instantiate_trainer(
        callbacks=[clock],
        logger=False,
        devices=1,
        num_nodes=1,
        strategy="auto",
        max_epochs=10**6,
        max_steps=WARM_UP + steps,
        limit_val_batches=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, data)
    return steps * data.batch_size / clock.seconds
