"""Export of what a training has learned, in the form that the backend loads."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import lightning as L

from training.runs import run_folder


class ExportAverage(L.Callback):
    """Writes the averaged weights after every validation and at the end, in place of the last ones.

    Parameters
    ----------
    path
        Target file; None is `FILE` in the run's folder.
    """

    FILE: str

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    @abstractmethod
    def save(self, module: L.LightningModule, path: Path) -> None:
        """Write the averaged network of a module; a file that is there is replaced at once."""

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._write(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._write(trainer, pl_module)

    def _write(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        folder = run_folder(trainer)
        if not trainer.sanity_checking and trainer.is_global_zero:
            self.save(pl_module, self.path or folder / self.FILE)
