"""How batches go through a device: one after the other, or copied and computed at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend.bulk.frames import FrameBatch
from backend.bulk.network import BulkNetwork

Arrays = tuple[NDArray[np.float32], ...]


class Runner(Protocol):
    """Takes batches and gives arrays."""

    def __call__(self, batches: Iterable[FrameBatch]) -> Iterator[tuple[FrameBatch, Arrays]]:
        """Return each batch with what `BulkNetwork` says of it, in order.

        All batches have the shapes of the first. Arrays are overwritten when the next are asked
        for.
        """
        ...


class PlainRunner:
    """For devices that wait for each step."""

    def __init__(self, network: BulkNetwork) -> None:
        self._network = network

    def __call__(self, batches: Iterable[FrameBatch]) -> Iterator[tuple[FrameBatch, Arrays]]:
        """See `Runner`."""
        for batch in batches:
            with torch.inference_mode():
                found = self._network(
                    torch.from_numpy(batch.pictures).to(self._network.device),
                    torch.from_numpy(batch.image_from_crop).to(self._network.device),
                    batch.places,
                )
                arrays = tuple(part.cpu().numpy() for part in found)
            yield batch, arrays


class CudaRunner:
    """Copies one batch while it computes another, and starts its kernels all at once.

    Two slots hold a batch each: pages of memory that the card reads by itself, a copy on the card,
    and a recorded graph of all kernels. Streams for the ways in and out and for computing run side
    by side.
    """

    SLOTS = 2

    def __init__(self, network: BulkNetwork) -> None:
        self._network = network
        self._streams = [torch.cuda.Stream() for _ in range(3)]
        self._slots: list[_Slot] = []
        self._recorded_for: tuple[object, int] = (None, 1)

    def __call__(self, batches: Iterable[FrameBatch]) -> Iterator[tuple[FrameBatch, Arrays]]:
        """See `Runner`."""
        under_way: deque[tuple[FrameBatch, _Slot]] = deque()
        for number, batch in enumerate(batches):
            self._record(batch)
            slot = self._slots[number % self.SLOTS]
            slot.start(batch, *self._streams)
            under_way.append((batch, slot))
            if len(under_way) == self.SLOTS:
                yield _arrived(*under_way.popleft())
        while under_way:
            yield _arrived(*under_way.popleft())

    def _record(self, batch: FrameBatch) -> None:
        """Make slots for batches like this, unless they are there."""
        shapes, places = (batch.pictures.shape, batch.image_from_crop.shape), batch.places
        recorded_shapes, recorded_places = self._recorded_for
        if shapes != recorded_shapes or places > recorded_places:
            torch.cuda.synchronize()
            self._slots = []  # their memory goes to the new ones
            self._slots = [_Slot(self._network, batch, places) for _ in range(self.SLOTS)]
            self._recorded_for = (shapes, places)


class _Slot:
    def __init__(self, network: BulkNetwork, batch: FrameBatch, places: int) -> None:
        self._host_in = [torch.from_numpy(part).pin_memory() for part in _inputs(batch)]
        self._inputs = [part.to(network.device) for part in self._host_in]
        with torch.inference_mode():
            # What is made on first use must not be recorded.
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    network(*self._inputs, places)
            torch.cuda.current_stream().wait_stream(side)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._outputs: tuple[Tensor, ...] = network(*self._inputs, places)
        self._host_out = [torch.empty(o.shape, dtype=o.dtype).pin_memory() for o in self._outputs]
        self._there, self._computed, self._back = (torch.cuda.Event() for _ in range(3))

    def start(
        self,
        batch: FrameBatch,
        way_in: torch.cuda.Stream,
        computing: torch.cuda.Stream,
        way_out: torch.cuda.Stream,
    ) -> None:
        """Begin to copy in, compute and copy out."""
        for host, array in zip(self._host_in, _inputs(batch), strict=True):
            host.numpy()[:] = array
        with torch.inference_mode():
            with torch.cuda.stream(way_in):
                for part, host in zip(self._inputs, self._host_in, strict=True):
                    part.copy_(host, non_blocking=True)
                self._there.record(way_in)
            with torch.cuda.stream(computing):
                computing.wait_event(self._there)
                self._graph.replay()
                self._computed.record(computing)
            with torch.cuda.stream(way_out):
                way_out.wait_event(self._computed)
                for host, part in zip(self._host_out, self._outputs, strict=True):
                    host.copy_(part, non_blocking=True)
                self._back.record(way_out)

    def arrays(self) -> Arrays:
        """Return what came back, once it has."""
        self._back.synchronize()
        return tuple(host.numpy() for host in self._host_out)


def _inputs(batch: FrameBatch) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    return batch.pictures, batch.image_from_crop


def _arrived(batch: FrameBatch, slot: _Slot) -> tuple[FrameBatch, Arrays]:
    return batch, slot.arrays()
