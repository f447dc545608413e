"""What a training of the texture GAN leaves beside its checkpoints: weights and pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import lightning as L
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from backend.data_folder import atomic_path
from gan_texture.weights import save_generator
from training.runs import run_folder
from training.steps.export import ExportAverage
from training.texture_gan.data_module import PairBatch, PairViews, TexturePairs
from training.texture_gan.module import TextureGanModule


class ExportGenerator(ExportAverage):
    """Writes ``generator.safetensors``; see `ExportAverage`."""

    FILE = "generator.safetensors"

    def save(self, module: L.LightningModule, path: Path) -> None:
        assert isinstance(module, TextureGanModule)
        with atomic_path(path) as temporary:
            save_generator(module.averaged_generator, temporary)


class SampleSheets(L.Callback):
    """Writes ``samples/epoch-NNN.png`` into the run's folder after every validation.

    A row for each face: photo, what the network is given, where the photo shows it, what the
    network makes, and the truth.

    Parameters
    ----------
    faces
        How many of the held-out views, the same every time.
    """

    def __init__(self, faces: int = 8) -> None:
        self.faces = faces
        self._batch: PairBatch | None = None

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        folder, data = run_folder(trainer), getattr(trainer, "datamodule", None)
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        if not isinstance(data, TexturePairs) or not len(data.validation_items):
            return
        assert isinstance(pl_module, TextureGanModule)
        if self._batch is None:
            count = min(self.faces, len(data.validation_items))
            spread = np.linspace(0, len(data.validation_items) - 1, count).astype(int)
            views = PairViews(data.folder, data.validation_rows)
            self._batch = views.__getitems__(data.validation_items[spread].tolist())
        path = folder / "samples" / f"epoch-{trainer.current_epoch:03d}.png"
        with atomic_path(path) as temporary:
            cv2.imwrite(str(temporary), sample_sheet(pl_module, self._batch)[:, :, ::-1])


def sample_sheet(module: TextureGanModule, batch: PairBatch) -> NDArray[np.uint8]:
    """Return (N * S, 5 * S, 3) RGB: a row for each view of a batch; see `SampleSheets`."""
    batch = PairBatch(*(field.to(module.device) for field in batch))
    made = module.make(module.views(batch))
    columns = [
        _pictures(batch.photo),
        _pictures(batch.filled),
        _pictures(batch.confidence.expand_as(batch.filled)),
        _pictures(((made + 1) * 127.5).round()),
        _pictures(batch.texture * (batch.mask > 127)),
    ]
    return np.concatenate(np.concatenate(columns, axis=2), axis=0)


def _pictures(tensor: Tensor) -> NDArray[np.uint8]:
    """Return (N, 3, S, S) from 0 to 255 -> (N, S, S, 3)."""
    return tensor.permute(0, 2, 3, 1).cpu().numpy().astype(np.uint8)
