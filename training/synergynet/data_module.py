"""Batches of packed faces for training and validation, split by identity."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from training.data.packed import Labels, PackedBatch, PackedFaces, read_labels


def is_held_out(identity: str, one_in: int) -> bool:
    """Whether a person belongs to the validation set; depends on the name alone."""
    digest = hashlib.sha256(identity.encode()).digest()
    return int.from_bytes(digest[:4], "little") % one_in == 0


def parameter_statistics(labels: Labels, chosen: NDArray[np.intp]) -> tuple[NDArray, NDArray]:
    """(62,) mean and (62,) standard deviation of the parameters of the chosen faces.

    What never varies (the depth of the model's origin) gets a standard deviation of 1.
    """
    parameters = labels.parameters[chosen].astype(np.float64)
    mean, std = parameters.mean(axis=0), parameters.std(axis=0)
    constant = std < 1e-3 * np.maximum(1e-3, np.abs(mean))
    return mean.astype(np.float32), np.where(constant, 1.0, std).astype(np.float32)


class PackedFacesModule(L.LightningDataModule):
    """Packed faces.

    Parameters
    ----------
    pack
        Folder made by `synergyface data pack`.
    batch_size
        Faces per step and process.
    one_in
        One person in this many is held out for validation.
    workers
        Processes that read; 0 reads in the main process, which is fastest when the pack fits
        into memory.
    """

    def __init__(
        self, pack: Path, batch_size: int = 64, one_in: int = 10, workers: int = 0
    ) -> None:
        super().__init__()
        self.pack = Path(pack)
        self.batch_size = batch_size
        self.one_in = one_in
        self.workers = workers
        self.labels = read_labels(self.pack)
        held_out = np.array([is_held_out(str(i), one_in) for i in self.labels.identities])
        self.training_indices = np.flatnonzero(~held_out)
        # Only annotated photos measure alignment; the others' labels are fits to detections.
        annotated = np.isfinite(self.labels.points).all(axis=(1, 2))
        self.validation_indices = np.flatnonzero(held_out & annotated)

    def train_dataloader(self) -> DataLoader[PackedBatch]:
        return self._loader(self.training_indices, shuffle=True)

    def val_dataloader(self) -> DataLoader[PackedBatch]:
        return self._loader(self.validation_indices, shuffle=False)

    def _loader(self, indices: NDArray[np.intp], shuffle: bool) -> DataLoader[PackedBatch]:
        return DataLoader(
            PackedFaces(self.pack, indices),
            self.batch_size,
            shuffle=shuffle,
            drop_last=shuffle,
            num_workers=self.workers,
            collate_fn=_as_is,
            persistent_workers=self.workers > 0,
        )


def _as_is(batch: Any) -> PackedBatch:
    """`PackedFaces` gives whole batches already."""
    return batch
