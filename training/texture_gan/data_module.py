"""Batches of texture pairs for training and validation, split by identity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_warn
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from backend.errors import BadInputError
from training.data.held_out import are_held_out
from training.data.sampling import EpochSampler, ResumableLoader
from training.texture_gan.pairs import MADE, open_pairs


class PairBatch(NamedTuple):
    """N views with the textures of their photos; uint8, channels first, 255 is 1.

    Attributes
    ----------
    photo, filled, texture
        (N, 3, S, S) the face's crop; what the view gives of the texture; the texture itself.
    confidence, mask
        (N, 1, S, S) where the view shows the texture, and where the texture is known.
    """

    photo: Tensor
    filled: Tensor
    confidence: Tensor
    texture: Tensor
    mask: Tensor


class PairViews(Dataset[PairBatch]):
    """Views of pairs by number: item ``i * views + k`` is view k of the i-th chosen photo."""

    def __init__(self, folder: Path, rows: NDArray[np.intp]) -> None:
        self.folder = folder
        self.rows = rows
        self._pairs = open_pairs(folder)

    def __len__(self) -> int:
        return len(self.rows) * self._pairs.views

    def __getitems__(self, items: Sequence[int]) -> PairBatch:
        photo, view = np.divmod(np.asarray(items), self._pairs.views)
        row = self.rows[photo]
        pairs = self._pairs
        return PairBatch(
            _channels_first(pairs.photos[row, view]),
            _channels_first(pairs.filled[row, view]),
            torch.from_numpy(pairs.confidence[row, view][:, None]),
            _channels_first(pairs.textures[row]),
            torch.from_numpy(pairs.masks[row][:, None]),
        )


class TexturePairs(L.LightningDataModule):
    """Texture pairs.

    An epoch shows as many views as there are photos. Validation sees people whom the training never
    sees, each photo in the view that is turned furthest.

    Parameters
    ----------
    folder
        Made by `synergyface data unwrap`.
    batch_size
        Views per step and process.
    one_in
        One person in this many is held out for validation.
    own_view
        How often a photo itself is drawn, relative to each of its turned views' 1; the paper
        knows the photos themselves only (`turned_views` 0).
    turned_views
        How often the turned views are drawn.
    workers
        Processes that read; 0 reads in the main process.
    seed
        Of the order.
    """

    def __init__(
        self,
        folder: Path,
        batch_size: int = 8,
        one_in: int = 10,
        own_view: float = 1.0,
        turned_views: float = 1.0,
        workers: int = 0,
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed
        pairs = open_pairs(self.folder)
        self.size, self.views = pairs.size, pairs.views
        held_out = are_held_out(pairs.identities, one_in)
        made = np.array(pairs.done == MADE)
        self.training_rows = np.flatnonzero(made & ~held_out)
        self.validation_rows = np.flatnonzero(made & held_out)
        furthest = np.abs(pairs.yaw[self.validation_rows]).argmax(axis=1)
        self.validation_items = np.arange(len(furthest)) * pairs.views + furthest
        self.view_weights = np.full(pairs.views, float(turned_views))
        self.view_weights[0] = own_view

    def setup(self, stage: str) -> None:
        """Say at once what a training will not tell."""
        if stage == "fit" and not len(self.validation_rows):
            rank_zero_warn(
                "Nothing is validated, and the last weights are what is exported: nobody is held "
                "out; a lower data.one_in holds out more people."
            )

    def train_dataloader(self) -> ResumableLoader:
        rank, world_size = self._share()
        photos, needed = len(self.training_rows), self.batch_size * world_size
        if photos < needed or not self.view_weights.any():
            raise BadInputError(
                f"{photos} photos of {self.folder} do not fill a batch of {needed}.",
                "Take a smaller batch size or more photos.",
            )
        weights = np.tile(self.view_weights, photos)
        views = PairViews(self.folder, self.training_rows)
        size = photos - photos % needed
        sampler = EpochSampler(views, weights, size, self.seed, rank, world_size)
        return self._loader(views, sampler, drop_last=True)

    def val_dataloader(self) -> ResumableLoader:
        rank, world_size = self._share()
        views = PairViews(self.folder, self.validation_rows)
        weights = np.zeros(len(views))
        weights[self.validation_items] = 1
        sampler = EpochSampler(
            views, weights, len(self.validation_items), self.seed, rank, world_size
        )
        return self._loader(views, sampler, drop_last=False)

    def _share(self) -> tuple[int, int]:
        """Rank and number of the processes that train together."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _loader(self, views: PairViews, sampler: EpochSampler, drop_last: bool) -> Any:
        return ResumableLoader(
            views,
            sampler,
            self.batch_size,
            drop_last,
            self.workers,
            pin_memory=torch.cuda.is_available(),
        )


def _channels_first(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pictures, -1, 1)))
