"""The expressions on disk: one ``.npz`` beside the model's, checked when it is read."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path, data_folder
from backend.errors import MissingAssetError
from backend.expressions.basis import ExpressionBasis
from backend.expressions.closing import Closure
from backend.expressions.deltas import N_KEYS, KeyDeltas
from backend.expressions.stretch import LocalStretch
from backend.fetched_archive import fetched_archive
from backend.morphable_model.model import N_VERTICES
from backend.wheels import FETCH_ADVICE

# Goes up when expressions are made in another way: `assets fetch` then makes them anew.
METHOD_VERSION = 2

_PARTS = ("left_eye", "right_eye", "mouth")


def expressions_path() -> Path:
    """Where the expressions lie unless another place is named."""
    return data_folder() / "expressions.npz"


def save_basis(basis: ExpressionBasis, path: Path | None = None) -> Path:
    """Write the expressions; an older file stays until the new one is complete.

    Raises
    ------
    BadInputError
        The folder cannot be written to.
    """
    target = path or expressions_path()
    parts = {"keys": basis.keys, "stretch": basis.stretch}
    parts.update(zip(_PARTS, (*basis.eyes, basis.mouth), strict=True))
    arrays: dict[str, Any] = {
        f"{part}.{field.name}": np.asarray(getattr(value, field.name))
        for part, value in parts.items()
        for field in fields(value)
    }
    arrays["method_version"] = np.array(METHOD_VERSION, np.int32)
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    return target


def load_basis(path: Path | None = None) -> ExpressionBasis:
    """Read and verify the expressions.

    Raises
    ------
    MissingAssetError
        There is no file, it is damaged, or another version of SynergyFace made it.
    """
    source = path or expressions_path()
    words = "The 52 expressions are", "The file of the 52 expressions"
    with fetched_archive(source, *words) as archive:
        version = int(archive["method_version"])
        if version != METHOD_VERSION:
            raise MissingAssetError(
                f"The 52 expressions in {source} were made by another version of SynergyFace "
                f"(method {version}, this one's is {METHOD_VERSION}).",
                FETCH_ADVICE,
            )
        left, right, mouth = (_part(archive, part, Closure) for part in _PARTS)
        keys = _part(archive, "keys", KeyDeltas)
        _check(keys)
        return ExpressionBasis(keys, (left, right), mouth, _part(archive, "stretch", LocalStretch))


def _part(archive: Any, part: str, kind: type[Any]) -> Any:
    return kind(**{f.name: _plain(archive[f"{part}.{f.name}"]) for f in fields(kind)})


def _plain(array: NDArray[Any]) -> Any:
    return array if array.ndim else array.item()


def _check(keys: KeyDeltas) -> None:
    n = len(keys.vertices)
    if (
        keys.offsets.shape != (N_KEYS + 1,)
        or keys.offsets[-1] != n
        or keys.deltas.shape != (n, 3)
        or keys.n_vertices != N_VERTICES
        or not np.isfinite(keys.deltas).all()
    ):
        raise ValueError("its arrays do not belong together")
