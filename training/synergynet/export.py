"""Export of what a training has learned, in the form that the backend loads."""

from __future__ import annotations

from pathlib import Path

import lightning as L

from backend.synergynet.weights import save_weights
from training.runs import run_folder
from training.synergynet.module import SynergyModule


class ExportWeights(L.Callback):
    """Writes the averaged weights after every validation and at the end, in place of the last ones.

    Parameters
    ----------
    path
        Target file; None is ``synergynet.safetensors`` in the run's folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._write(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._write(trainer, pl_module)

    def _write(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        folder = run_folder(trainer)
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, SynergyModule)
        save_weights(pl_module.averaged_network, self.path or folder / "synergynet.safetensors")
