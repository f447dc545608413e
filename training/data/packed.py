"""Packed faces as a dataset: batches of crops and labels, read from shards by number."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from backend.errors import BadInputError
from training.data.shards import PackIndex, decode_crop, read_index


class PackedBatch(NamedTuple):
    """Faces as they are stored.

    Attributes
    ----------
    crops
        (N, S, S, 3) uint8 RGB.
    parameters
        (N, 62) in the frame of the upright 120x120 crop.
    landmarks
        (N, 3, 68) 3D landmarks in the crop frame.
    points
        (N, 2, 68) annotated points in the crop frame (NaN where there are none).
    """

    crops: Tensor
    parameters: Tensor
    landmarks: Tensor
    points: Tensor


class ByteRange(NamedTuple):
    """Part of a file of a pack."""

    file: str
    offset: int
    length: int


class ShardBytes:
    """Reads parts of shards, on a disk or on any storage that fsspec knows.

    Local shards are memory maps, which threads and forked processes share without a common file
    position; a whole batch is asked of remote storage at once. Copies that travel to another
    process open the files again.
    """

    def __init__(self, location: str | Path) -> None:
        self.location = location
        self._maps: dict[str, mmap.mmap] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"location": self.location, "_maps": {}}

    def read(self, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Return bytes of each range.

        Raises
        ------
        BadInputError
            A shard is missing, or shorter than the index says.
        """
        import fsspec
        from fsspec.implementations.local import LocalFileSystem

        # fsspec keeps file systems itself, and makes new ones after a fork.
        filesystem, root = fsspec.url_to_fs(str(self.location))
        try:
            if isinstance(filesystem, LocalFileSystem):
                found = [self._local(Path(root), part) for part in ranges]
            else:
                paths = [f"{root}/{part.file}" for part in ranges]
                starts = [part.offset for part in ranges]
                ends = [part.offset + part.length for part in ranges]
                found = filesystem.cat_ranges(paths, starts, ends, on_error="raise")
        except (OSError, ValueError) as error:
            raise BadInputError(
                f"Cannot read the faces in {self.location}: {error}.", "Check the pack."
            ) from error
        short = [part for part, data in zip(ranges, found, strict=True) if len(data) < part.length]
        if short:
            raise BadInputError(
                f"{short[0].file} in {self.location} is shorter than its index says.",
                "Make the index again with `synergyface data index`.",
            )
        return [bytes(data) for data in found]

    def _local(self, root: Path, part: ByteRange) -> bytes:
        if part.file not in self._maps:
            with (root / part.file).open("rb") as file:
                self._maps[part.file] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._maps[part.file][part.offset : part.offset + part.length]


class PackedFaces(Dataset[PackedBatch]):
    """Some faces of a pack; indexing with a list gives a whole batch.

    Parameters
    ----------
    location
        The pack: a folder, or an address that fsspec knows.
    indices
        Which of its faces.
    index
        Its index, where it is read already.
    """

    def __init__(
        self,
        location: str | Path,
        indices: NDArray[np.integer],
        index: PackIndex | None = None,
    ) -> None:
        self.bytes = ShardBytes(location)
        self.index = index or read_index(location)
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> PackedBatch:
        return PackedBatch(*(field[0] for field in self.__getitems__([index])))

    def __getitems__(self, indices: Sequence[int]) -> PackedBatch:
        at = self.indices[np.asarray(indices)]
        labels = self.index.labels
        crops = [decode_crop(data) for data in self.bytes.read(self._ranges(at))]
        return PackedBatch(
            torch.from_numpy(np.stack(crops)),
            torch.from_numpy(labels.parameters[at]),
            torch.from_numpy(labels.landmarks[at]),
            torch.from_numpy(labels.points[at]),
        )

    def _ranges(self, at: NDArray[np.integer]) -> list[ByteRange]:
        index = self.index
        places = (index.files[index.shards[at]], index.offsets[at], index.lengths[at])
        return [ByteRange(str(f), int(o), int(n)) for f, o, n in zip(*places, strict=True)]
