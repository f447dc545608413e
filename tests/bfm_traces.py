"""Find arrays of the Basel Face Model in files that are distributed, inside archives too."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from backend.morphable_model.model import MorphableModel

RUN = 32


def traces(model: MorphableModel) -> dict[str, bytes]:
    """Runs of 32 numbers of the model's arrays, from three places of each, by name."""
    arrays = (
        ("mean", model.mean),
        ("basis", model.basis),
        ("uv", model.uv),
        ("triangles", model.triangles),
    )
    found = {}
    for name, array in arrays:
        flat = np.ascontiguousarray(array).reshape(-1)
        variants = [flat, flat.astype(np.float16)] if flat.dtype == np.float32 else [flat]
        for start in (0, len(flat) // 3, len(flat) // 2):
            for variant in variants:
                run = variant[start : start + RUN].tobytes()
                found[f"{name}[{start}] as {variant.dtype}"] = run
    return found


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of a file; of the members, archives among them too, if it is an archive."""
    return _unpacked(path.name, path.read_bytes())


def _unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        yield name, content
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.namelist():
            yield from _unpacked(f"{name}/{member}", archive.read(member))
