"""Training pairs on disk: what one view shows of a texture, and the texture itself.

A folder of plain ``.npy`` arrays that are mapped into memory, so any of them opens in NumPy:

- ``textures.npy`` (P, S, S, 3) and ``masks.npy`` (P, S, S): each photo's own texture, and how far
  that is trusted;
- ``photos.npy`` (P, K, S, S, 3): K views of each photo, cropped to the face's roi box; the first
  is the photo itself, the others are turned;
- ``filled.npy`` (P, K, S, S, 3) and ``believed.npy`` (P, K, S, S): the view's own texture as the
  backend makes it from that view alone, and where it comes from the view itself;
- ``done.npy`` (P,): 0 waiting, 1 made, 2 skipped;
- ``index.npz``: ``names``, ``sources``, ``identities`` (P,) and ``yaw`` (P, K) in degrees.

Pictures are uint8 RGB, weights uint8 with 255 for 1. Row 0 of textures is v = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.errors import BadInputError
from training.data.arrays import read_arrays

Bytes = NDArray[np.uint8]
WAITING, MADE, SKIPPED = 0, 1, 2
INDEX_FILE = "index.npz"
INDEX_ARRAYS = ("names", "sources", "identities", "yaw")
# An array's file bears its name, but for one.
FILE_NAMES = {"confidence": "believed"}


@dataclass(frozen=True)
class Pair:
    """Everything that belongs to one photo; see the module for the arrays."""

    texture: Bytes
    mask: Bytes
    photos: Bytes
    filled: Bytes
    confidence: Bytes


@dataclass(frozen=True)
class Pairs:
    """Pairs of P photos with K views each; see the module for the arrays."""

    names: NDArray[np.str_]
    sources: NDArray[np.str_]
    identities: NDArray[np.str_]
    yaw: NDArray[np.float32]
    textures: Bytes
    masks: Bytes
    photos: Bytes
    filled: Bytes
    confidence: Bytes
    done: Bytes

    @property
    def size(self) -> int:
        """Side of the pictures."""
        return self.textures.shape[1]

    @property
    def views(self) -> int:
        """Views of each photo."""
        return self.photos.shape[1]

    def put(self, row: int, pair: Pair | None) -> None:
        """Store what belongs to a photo; None marks it as skipped."""
        if pair is not None:
            self.textures[row], self.masks[row] = pair.texture, pair.mask
            self.photos[row] = pair.photos
            self.filled[row], self.confidence[row] = pair.filled, pair.confidence
        self.done[row] = SKIPPED if pair is None else MADE


def create_pairs(
    folder: Path,
    names: NDArray[np.str_],
    sources: NDArray[np.str_],
    identities: NDArray[np.str_],
    yaw: NDArray[np.floating],
    size: int,
) -> Pairs:
    """Make the files of a folder, or open them if they were made for the same photos and views.

    Raises
    ------
    BadInputError
        The folder holds other pairs.
    """
    arrays = (names, sources, identities, yaw.astype(np.float32))
    index = dict(zip(INDEX_ARRAYS, arrays, strict=True))
    if (folder / INDEX_FILE).is_file():
        pairs = open_pairs(folder, writable=True)
        same = all(np.array_equal(getattr(pairs, name), array) for name, array in index.items())
        if same and pairs.size == size:
            return pairs
        raise BadInputError(
            f"{folder} holds the pairs of other photos or views.",
            "Choose another folder, or empty this one.",
        )
    count, views = yaw.shape
    for name, shape in _shapes(count, views, size).items():
        path = _file(folder, name)
        np.lib.format.open_memmap(path, "w+", np.uint8, shape).flush()
    with atomic_path(folder / INDEX_FILE) as temporary:
        np.savez_compressed(temporary, **index)  # pyright: ignore[reportArgumentType]
    return open_pairs(folder, writable=True)


def open_pairs(folder: Path, writable: bool = False) -> Pairs:
    """Map the pairs of a folder into memory.

    Raises
    ------
    BadInputError
        The folder holds none, or they are damaged.
    """
    index = read_arrays(folder / INDEX_FILE, INDEX_ARRAYS)
    mode = "r+" if writable else "r"
    try:
        arrays = {name: np.load(_file(folder, name), mmap_mode=mode) for name in _shapes(1, 1, 1)}
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"Cannot use the pairs in {folder}: {error}.",
            "Make them with `synergyface data unwrap`.",
        ) from error
    count, views = index["yaw"].shape
    expected = _shapes(count, views, arrays["textures"].shape[1])
    wrong = [name for name, shape in expected.items() if arrays[name].shape != shape]
    if wrong:
        raise BadInputError(
            f"{_file(folder, wrong[0])} has the shape {arrays[wrong[0]].shape}, which is not "
            f"{expected[wrong[0]]}.",
            "Make the pairs again with `synergyface data unwrap`.",
        )
    return Pairs(**{name: index[name] for name in INDEX_ARRAYS}, **arrays)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{FILE_NAMES.get(name, name)}.npy"


def _shapes(count: int, views: int, size: int) -> dict[str, tuple[int, ...]]:
    return {
        "textures": (count, size, size, 3),
        "masks": (count, size, size),
        "photos": (count, views, size, size, 3),
        "filled": (count, views, size, size, 3),
        "confidence": (count, views, size, size),
        "done": (count,),
    }
