"""The model on disk: one uncompressed ``.npz``, written whole or not at all, checked when read.

Every member of an ``.npz`` carries a CRC-32, which is verified while it is read.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path, data_folder
from backend.errors import MissingAssetError
from backend.fetched_archive import fetched_archive
from backend.morphable_model.model import (
    N_EXPRESSION,
    N_LANDMARKS,
    N_PARAMETERS,
    N_SHAPE,
    N_TEXTURE,
    N_TRIANGLES,
    N_VERTICES,
    MorphableModel,
)
from backend.wheels import FETCH_ADVICE

FORMAT_VERSION = 1

_LAYOUT: dict[str, tuple[str, tuple[int, ...]]] = {
    "mean": ("<f4", (N_VERTICES, 3)),
    "mean_expression": ("<f4", (N_VERTICES, 3)),
    "basis": ("<f4", (N_SHAPE + N_EXPRESSION, N_VERTICES, 3)),
    "triangles": ("<i4", (N_TRIANGLES, 3)),
    "uv": ("<f4", (N_VERTICES, 2)),
    "landmark_indices": ("<i4", (N_LANDMARKS,)),
    "mirror_indices": ("<i4", (N_VERTICES,)),
    "parameter_mean": ("<f4", (N_PARAMETERS,)),
    "parameter_std": ("<f4", (N_PARAMETERS,)),
    "mean_texture": ("<f4", (N_VERTICES, 3)),
    "texture_basis": ("<f4", (N_VERTICES, 3, N_TEXTURE)),
}
_OPTIONAL = frozenset({"mean_texture", "texture_basis"})


def model_path() -> Path:
    """Tell where the model lies unless another place is named."""
    return data_folder() / "bfm.npz"


def save_model(model: MorphableModel, path: Path | None = None) -> Path:
    """Write the model; an older file stays until the new one is complete.

    Raises
    ------
    BadInputError
        The folder cannot be written to.
    """
    target = path or model_path()
    arrays = {field.name: getattr(model, field.name) for field in fields(model)}
    present: dict[str, Any] = {
        name: np.ascontiguousarray(array, _LAYOUT[name][0])
        for name, array in arrays.items()
        if array is not None
    }
    present["format_version"] = np.array(FORMAT_VERSION, np.int32)
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez(file, **present)
    return target


def load_model(path: Path | None = None) -> MorphableModel:
    """Read and verify the model.

    Raises
    ------
    MissingAssetError
        There is no file, it is damaged, or another version of SynergyFace wrote it.
    """
    source = path or model_path()
    words = "The Basel Face Model's data are", "The Basel Face Model's file"
    with fetched_archive(source, *words) as archive:
        version = int(archive["format_version"])
        if version != FORMAT_VERSION:
            raise MissingAssetError(
                f"The Basel Face Model's file {source} has format {version}; this version of "
                f"SynergyFace reads format {FORMAT_VERSION}.",
                FETCH_ADVICE,
            )
        names = [name for name in _LAYOUT if name in archive.files or name not in _OPTIONAL]
        return MorphableModel(**{name: _member(archive, name) for name in names})


def _member(archive: Any, name: str) -> NDArray[Any]:
    array = archive[name]
    dtype, shape = _LAYOUT[name]
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} {array.shape} instead of {dtype} {shape}")
    return array
