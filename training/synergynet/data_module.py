"""Batches of packed faces for training and validation, split by identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_warn
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from backend.errors import BadInputError
from backend.morphable_model.model import N_SHAPE
from backend.morphable_model.parameters import SHAPE
from training.data.held_out import are_held_out
from training.data.packed import PackedBatch, PackedFaces
from training.data.sampling import EpochSampler, ResumableLoader, face_weights, require_sources
from training.data.shards import Labels, read_index


def parameter_statistics(labels: Labels, chosen: NDArray[np.intp]) -> tuple[NDArray, NDArray]:
    """(62,) mean and (62,) standard deviation of the parameters of the chosen faces.

    What never varies (the depth of the model's origin) gets a standard deviation of 1.
    """
    parameters = labels.parameters[chosen].astype(np.float64)
    mean, std = parameters.mean(axis=0), parameters.std(axis=0)
    constant = std < 1e-3 * np.maximum(1e-3, np.abs(mean))
    return mean.astype(np.float32), np.where(constant, 1.0, std).astype(np.float32)


def shared_shapes(labels: Labels, share: float, exact: Sequence[str] = ()) -> Labels:
    """Labels whose alpha_shape is moved by `share` towards the mean over the person's faces.

    Views made of a photo have its shape, so every photo counts by the number of its pictures.
    Faces of the sources `exact` are what their labels say: they stay, and do not count.
    """
    fitted = np.flatnonzero(~np.isin(labels.sources, exact))
    if share == 0 or not len(fitted):
        return labels
    _, person = np.unique(labels.identities[fitted], return_inverse=True)
    shapes = labels.parameters[fitted, SHAPE].astype(np.float64)
    sums = np.zeros((person.max() + 1, N_SHAPE))
    np.add.at(sums, person, shapes)
    means = sums / np.bincount(person)[:, None]
    parameters = labels.parameters.copy()
    parameters[fitted, SHAPE] = (1 - share) * shapes + share * means[person]
    return replace(labels, parameters=parameters)


class PackedFacesModule(L.LightningDataModule):
    """Packed faces.

    Validation sees people whom the training never sees, in photos with annotated points; a second
    validation set shows them in the sources of made views.

    Parameters
    ----------
    pack
        Folder made by `synergyface data pack`, or its address in object storage (``s3://...``).
    batch_size
        Faces per step and process.
    one_in
        One person in this many is held out for validation.
    workers
        Processes that read and decode; 0 does so in the main process.
    epoch_size
        Faces drawn for an epoch, over all machines; by default as many as there are for training.
    source_weights
        How often a face of a source is drawn, relative to the others' 1.
    yaw_balance
        0 draws poses as they come, 1 draws every 15 degrees of yaw equally often.
    view_sources
        Sources whose pictures are made (profiled): they validate apart.
    drawn_sources
        Sources whose heads are drawn: their shapes are exact, and `share_shape` leaves them alone.
    share_shape
        How far each face's alpha_shape is moved to the mean of its person's, 0 to 1. Fits of single
        photos scatter; a person's shape does not.
    seed
        Of the order of the faces.
    """

    def __init__(
        self,
        pack: str | Path,
        batch_size: int = 64,
        one_in: int = 10,
        workers: int = 2,
        epoch_size: int | None = None,
        source_weights: dict[str, float] | None = None,
        yaw_balance: float = 0.0,
        view_sources: tuple[str, ...] = (),
        drawn_sources: tuple[str, ...] = (),
        share_shape: float = 0.0,
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.pack = pack
        self.batch_size = batch_size
        self.workers = workers
        self.epoch_size = epoch_size
        self.seed = seed
        self.index = read_index(pack)
        require_sources(self.index.labels, (*view_sources, *drawn_sources))
        labels = shared_shapes(self.index.labels, share_shape, drawn_sources)
        self.index = replace(self.index, labels=labels)
        held_out = are_held_out(labels.identities, one_in)
        self.anyone_held_out = bool(held_out.any())
        self.weights = face_weights(labels, source_weights or {}, yaw_balance)
        self.training_indices = np.flatnonzero(~held_out & (self.weights > 0))
        # Only annotated photos measure alignment; the others' labels are fits to detections.
        annotated = np.isfinite(labels.points).all(axis=(1, 2))
        made = np.isin(labels.sources, view_sources)
        self.validation_indices = np.flatnonzero(held_out & annotated & ~made)
        self.view_indices = np.flatnonzero(held_out & made)

    @property
    def labels(self) -> Labels:
        """Labels of the whole pack."""
        return self.index.labels

    def setup(self, stage: str) -> None:
        """Say at once what a training will not tell."""
        lacking = self.not_validated()
        if stage == "fit" and lacking:
            rank_zero_warn(lacking)

    def not_validated(self) -> str:
        """What is not validated, and why; nothing if all is."""
        if len(self.validation_indices):
            return ""
        if len(self.view_indices):
            return (
                "Landmarks of photos are not validated, only made views: nobody who is held out "
                "has a photo with annotated points."
            )
        why = (
            "of the people held out there are neither photos with annotated points nor faces of "
            "data.view_sources"
            if self.anyone_held_out
            else "nobody is held out; a lower data.one_in holds out more people"
        )
        return f"Nothing is validated, and the last weights are what is exported: {why}."

    def train_dataloader(self) -> ResumableLoader:
        rank, world_size = self._share()
        size = self.epoch_size or len(self.training_indices)
        needed = self.batch_size * world_size
        if min(size, len(self.training_indices)) < 1 or size < needed:
            raise BadInputError(
                f"An epoch of {size} faces does not fill a batch of {needed}.",
                "Take a smaller batch size or more faces.",
            )
        faces = PackedFaces(self.pack, self.training_indices, self.index)
        weights = self.weights[self.training_indices]
        sampler = EpochSampler(faces, weights, size - size % needed, self.seed, rank, world_size)
        return self._loader(faces, sampler, drop_last=True)

    def val_dataloader(self) -> list[DataLoader[PackedBatch]]:
        """Annotated photos; then the made views, if there are any."""
        rank, world_size = self._share()
        chosen = [self.validation_indices, self.view_indices]
        sets = [PackedFaces(self.pack, rows, self.index) for rows in chosen if len(rows)]
        return [
            self._loader(
                faces,
                EpochSampler(faces, rank=rank, world_size=world_size),
                drop_last=False,
            )
            for faces in sets
        ]

    def _share(self) -> tuple[int, int]:
        """Rank and number of the processes that train together."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _loader(
        self, faces: PackedFaces, sampler: EpochSampler, drop_last: bool
    ) -> ResumableLoader:
        return ResumableLoader(
            faces,
            sampler,
            self.batch_size,
            drop_last,
            self.workers,
            pin_memory=torch.cuda.is_available(),
        )
