"""What is the same in every head, on disk beside the face model: one ``.npz``, whole or not at all.

It holds for the face model of which it was made, and for this version of its making.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from backend.data_folder import atomic_path, data_folder
from backend.errors import MissingAssetError
from backend.fetched_archive import fetched_archive
from backend.head.eye_patch import EyePatch
from backend.head.mouth import MouthShape
from backend.head.skull import SkullShape
from backend.head.whole import SIDES, HeadShape
from backend.morphable_model.model import MorphableModel
from backend.wheels import FETCH_ADVICE

# Of the file and of the methods: what was made by others is made anew.
HEAD_VERSION = 1

_PATCH = ("vertices", "triangles", "loop", "near", "rim")
_MOUTH = ("loop", "lips", "middle", "corners", "width")
_SKULL = ("vertices", "faces", "uv", "rim", "band", "pull", "ends")
_SPARSE = ("stiffness", "coupling", "follow")
_CSR = ("data", "indices", "indptr", "shape")

Arrays = dict[str, NDArray[Any]]


def head_path() -> Path:
    """Where the parts' shape lies."""
    return data_folder() / "head.npz"


def save_head_shape(shape: HeadShape, model: MorphableModel, path: Path | None = None) -> Path:
    """Write what every head shares; an older file stays until the new one is complete.

    Raises
    ------
    BadInputError
        The folder cannot be written to.
    """
    target = path or head_path()
    arrays: Arrays = {
        "version": np.array(HEAD_VERSION),
        "model": np.array(_digest(model)),
        "chin": shape.chin,
    }
    for side, patch in zip(SIDES, shape.patches, strict=True):
        arrays |= {f"{side}/{name}": getattr(patch, name) for name in _PATCH}
    arrays |= {f"mouth/{name}": np.asarray(getattr(shape.mouth, name)) for name in _MOUTH}
    arrays |= {f"skull/{name}": np.asarray(getattr(shape.skull, name)) for name in _SKULL}
    for name in _SPARSE:
        matrix = getattr(shape.skull, name).tocsr()
        arrays |= {f"skull/{name}/{part}": np.asarray(getattr(matrix, part)) for part in _CSR}
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return target


def load_head_shape(model: MorphableModel, path: Path | None = None) -> HeadShape:
    """Read and verify what every head shares.

    Raises
    ------
    MissingAssetError
        There is no file, it is damaged, or it was made by another version or of another model.
    """
    source = path or head_path()
    words = "The parts of a whole head are", "The file of a whole head's parts"
    with fetched_archive(source, *words) as archive:
        made = int(archive["version"]), str(archive["model"])
        if made == (HEAD_VERSION, _digest(model)):
            return _read(archive)
    raise MissingAssetError(
        f"The parts of a whole head in {source} were made by another version of SynergyFace, or of "
        "another face model.",
        FETCH_ADVICE,
    )


def _digest(model: MorphableModel) -> str:
    return hashlib.sha256(model.mean.tobytes() + model.triangles.tobytes()).hexdigest()


def _read(archive: Any) -> HeadShape:
    left, right = (EyePatch(*(archive[f"{side}/{name}"] for name in _PATCH)) for side in SIDES)
    mouth: dict[str, Any] = {name: archive[f"mouth/{name}"] for name in _MOUTH}
    skull: dict[str, Any] = {name: archive[f"skull/{name}"] for name in _SKULL}
    skull |= {name: _matrix(archive, f"skull/{name}") for name in _SPARSE}
    mouth["width"] = float(mouth["width"])
    skull["ends"], skull["stiffness"] = int(skull["ends"]), skull["stiffness"].tocsc()
    return HeadShape((left, right), MouthShape(**mouth), archive["chin"], SkullShape(**skull))


def _matrix(archive: Any, name: str) -> sparse.csr_matrix:
    data, indices, pointers, shape = (archive[f"{name}/{part}"] for part in _CSR)
    return sparse.csr_matrix((data, indices, pointers), shape=tuple(shape))
