"""Which faces an epoch shows, in which order, and how an interrupted epoch goes on.

The order follows from the seed and the epoch alone: not from the number of reading processes, and
each machine of a distributed run takes its share of the same global batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from backend.errors import BadInputError
from training.data.shards import Labels


def face_weights(
    labels: Labels, source_weights: Mapping[str, float], yaw_balance: float, bin_width: float = 15.0
) -> NDArray[np.float64]:
    """Tell how often faces are drawn, relative to each other.

    Parameters
    ----------
    labels
        N faces.
    source_weights
        Factors by source; 1 for sources that are not named.
    yaw_balance
        0 leaves the poses as they are; 1 draws from every bin of |yaw| equally often.
    bin_width
        Degrees.

    Returns
    -------
    (N,).

    Raises
    ------
    BadInputError
        A source is unknown, or a weight is negative.
    """
    require_sources(labels, source_weights)
    if any(weight < 0 for weight in source_weights.values()):
        raise BadInputError("A source weight is negative.", "Give 0 to leave a source out.")
    weights = np.array([source_weights.get(str(source), 1.0) for source in labels.sources], float)
    bins = (np.abs(labels.yaw) // bin_width).astype(int)
    totals = np.bincount(bins, weights)[bins]
    return np.where(weights > 0, weights * np.maximum(totals, 1e-12) ** -yaw_balance, 0.0)


def require_sources(labels: Labels, sources: Iterable[str]) -> None:
    """Raise `BadInputError` unless there are faces of all these sources."""
    known = set(map(str, labels.sources))
    unknown = set(sources) - known
    if unknown:
        raise BadInputError(
            f"The pack has no faces of {', '.join(sorted(unknown))}.",
            f"Its sources are {', '.join(sorted(known))}.",
        )


def draw(weights: NDArray[np.float64], size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the row numbers in random order; row i comes ``size * weights[i] / sum`` times, give
    or
    take one.

    Equal weights and a size of N give a permutation.
    """
    walk = rng.permutation(len(weights))
    expected = size * weights[walk] / weights.sum()
    marks = np.concatenate([[0.0], np.cumsum(expected)])
    marks[-1] = size
    # Sums of thousands of quotients stray by some last digits from the integers that they mean.
    times = np.diff(np.floor(np.round(marks, 6) + rng.random()).astype(np.intp))
    return rng.permutation(np.repeat(walk, times))


class EpochSampler(DistributedSampler[int]):
    """Draws the faces of an epoch, or goes through all of them in their order.

    Being a `DistributedSampler`, it is left in place by Lightning, which tells it the epoch.

    Parameters
    ----------
    faces
        What is drawn from.
    weights
        (len(faces),) relative frequencies; None goes through all faces in order, each once.
    size
        Faces of an epoch over all machines; by default as many as there are.
    seed
        Of the order.
    rank, world_size
        Which share of how many.
    """

    def __init__(
        self,
        faces: Dataset[Any],
        weights: NDArray[np.float64] | None = None,
        size: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(faces, num_replicas=world_size, rank=rank, seed=seed)
        self.weights = weights
        self.size = size or len(faces)  # pyright: ignore[reportArgumentType]
        self.start = 0

    def order(self) -> NDArray[np.intp]:
        """Return (size,) rows of all machines in this epoch."""
        if self.weights is None:
            return np.arange(self.size)
        return draw(self.weights, self.size, np.random.default_rng([self.seed, self.epoch]))

    def __iter__(self) -> Iterator[int]:
        # Every world_size-th: the shares of a step together are what one machine would take.
        share = self.order()[self.rank :: self.num_replicas]
        return iter(share[self.start :].tolist())

    def __len__(self) -> int:
        return len(range(self.rank, self.size, self.num_replicas))


class ResumableLoader(DataLoader[Any]):
    """Whole batches of a data set; an epoch that was interrupted goes on where it stopped.

    Lightning keeps `state_dict` in its checkpoints and gives it back.

    Parameters
    ----------
    faces
        What to read.
    sampler
        In which order.
    batch_size
        Faces per batch of this machine.
    drop_last
        Whether a last smaller batch is left out.
    workers
        Processes that read and decode.
    pin_memory
        Whether batches lie where a GPU copies them from while it computes.
    """

    def __init__(
        self,
        faces: Dataset[Any],
        sampler: EpochSampler,
        batch_size: int,
        drop_last: bool,
        workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        super().__init__(
            faces,
            batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=workers,
            collate_fn=_as_is,
            persistent_workers=workers > 0,
            pin_memory=pin_memory,
        )
        self.order = sampler
        self.taken = 0
        self._resumed: dict[str, int] | None = None

    def state_dict(self) -> dict[str, int]:
        """Return the epoch, and how many of its batches have been taken."""
        return {"epoch": self.order.epoch, "batches": self.taken}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next pass go on, if it is through the same epoch."""
        self._resumed = state

    def __iter__(self) -> Iterator[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        # This body runs at the first batch, when Lightning has told the sampler its epoch.
        resumed, self._resumed = self._resumed, None
        goes_on = resumed is not None and resumed["epoch"] == self.order.epoch
        self.taken = resumed["batches"] if resumed and goes_on else 0
        self.order.start = self.taken * (self.batch_size or 1)
        for batch in super().__iter__():
            self.taken += 1
            yield batch


def _as_is(batch: Any) -> Any:
    """Refuse single items: ``__getitems__`` gives whole batches already."""
    return batch
