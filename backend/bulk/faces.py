"""Many faces at once: what a program calls that has thousands of pictures or a graphics card.

>>> faces = BulkFaces.load("cuda", dense=True)                                   # doctest: +SKIP
>>> for found in faces.find(FrameBatch.of(pictures, boxes) for ...):             # doctest: +SKIP
...     found.landmarks, found.vertices                                          # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from backend.bulk.frames import FoundFaces, FrameBatch
from backend.bulk.network import BulkNetwork
from backend.bulk.running import Arrays, CudaRunner, PlainRunner, Runner
from backend.engines.devices import Device, find_torch_device
from backend.engines.torch_engine import load_folded
from backend.errors import BadInputError, OutOfMemoryError
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.storage import load_model
from backend.synergynet.weights import active_weights


class BulkFaces:
    """Answers batches of pictures whose faces' regions are known.

    Parameters
    ----------
    network
        What is computed, and where.
    """

    def __init__(self, network: BulkNetwork) -> None:
        self.network = network
        on_cuda = network.device.type == "cuda"
        self._run: Runner = CudaRunner(network) if on_cuda else PlainRunner(network)

    @classmethod
    def load(
        cls,
        device: Device = "auto",
        dense: bool = False,
        weights: Path | None = None,
        model: MorphableModel | None = None,
    ) -> BulkFaces:
        """Load the given weights or those in use.

        Parameters
        ----------
        device
            Where it runs.
        dense
            Whether all vertices are wanted, or landmarks only.
        weights, model
            By default those in use.

        Raises
        ------
        BadInputError
            The device is not there.
        MissingAssetError
            The weights or the model are absent or damaged.
        """
        network = load_folded(weights or active_weights())
        model = model or load_model()
        return cls(BulkNetwork(network, model, find_torch_device(device), dense))

    def find(self, batches: Iterable[FrameBatch]) -> Iterator[FoundFaces]:
        """Yield answers to batches, in their order.

        While one is computed the next is taken from `batches`. All must have as many faces to a
        picture as the first, and pictures of its size; the last may have fewer pictures.

        The arrays are used again: what is in them is gone when the next answer is asked for.

        Raises
        ------
        BadInputError
            A batch differs from the first.
        OutOfMemoryError
            The device has too little memory for so many faces.
        """
        try:
            for batch, arrays in self._run(_alike(batches)):
                yield _faces(batch, arrays)
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemoryError("memory of the graphics card") from error


def _alike(batches: Iterable[FrameBatch]) -> Iterator[FrameBatch]:
    first: FrameBatch | None = None
    for batch in batches:
        first = first or batch
        same = batch.pictures.shape[1:] == first.pictures.shape[1:]
        same &= batch.present.shape[1] == first.present.shape[1]
        if not same or len(batch.pictures) > len(first.pictures):
            raise BadInputError(
                f"A batch of {batch.pictures.shape} with {batch.present.shape[1]} faces to a "
                f"picture follows one of {first.pictures.shape} with {first.present.shape[1]}.",
                "Give pictures of one size, and no batch larger than the first.",
            )
        yield batch.filled(len(first.pictures))


def _faces(batch: FrameBatch, arrays: Arrays) -> FoundFaces:
    present = batch.present.reshape(-1)
    # Where all are there nothing is copied.
    parts = arrays if present.all() else tuple(array[present] for array in arrays)
    parameters, landmarks, *vertices = parts
    picture = np.repeat(np.arange(len(batch.pictures)), batch.present.shape[1])[present]
    return FoundFaces(picture, parameters, landmarks, vertices[0] if vertices else None)
