"""What makes a whole head of a face: named keys, and the parts beside the face.

The body names parts, keys and pictures in its envelope, and has their numbers as arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .container import ContractError
from .fields import array, entries, finite_array

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class StaticPart:
    """What a part of everybody's head has in common.

    Attributes
    ----------
    corners
        (C,) int32, vertices of its polygons, one polygon after another, anticlockwise seen from
        outside.
    sizes
        (P,) int32, corners of each polygon: 3 or 4.
    uv
        (V, 2) float32 in [0, 1], u right, v up.
    material
        Name of its picture: ``skin`` is the face's own texture, others are in
        `WholeHead.images`.
    """

    corners: NDArray[np.int32]
    sizes: NDArray[np.int32]
    uv: NDArray[np.float32]
    material: str


@dataclass(frozen=True)
class NamedKeys:
    """What each key adds to a mesh, of those vertices that it moves.

    Attributes
    ----------
    names
        K of them, as in `exchange.expressions`.
    starts
        (K + 1,) int32: key k moves ``vertices[starts[k]:starts[k + 1]]``.
    vertices
        (N,) int32.
    offsets
        (N, 3) float32, metres, Blender's frame.
    """

    names: tuple[str, ...]
    starts: NDArray[np.int32]
    vertices: NDArray[np.int32]
    offsets: NDArray[np.float32]

    def of(self, name: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return vertices that a key moves, and by how much."""
        index = self.names.index(name)
        moved = slice(self.starts[index], self.starts[index + 1])
        return self.vertices[moved], self.offsets[moved]


NO_KEYS = NamedKeys((), np.zeros(1, np.int32), np.zeros(0, np.int32), np.zeros((0, 3), np.float32))


@dataclass(frozen=True)
class PartShape:
    """A part of one person's head.

    Attributes
    ----------
    vertices
        (V, 3) float32 without expression: metres, Blender's frame.
    keys
        Those of the face's keys that move it.
    """

    vertices: NDArray[np.float32]
    keys: NamedKeys


@dataclass(frozen=True)
class WholeHead:
    """One person's head beyond the face's mesh.

    Attributes
    ----------
    keys
        Of the face's mesh.
    parts
        By the names of `StaticModel.parts`.
    images
        By material: (N,) uint8, the bytes of a PNG file.
    """

    keys: NamedKeys
    parts: dict[str, PartShape]
    images: dict[str, NDArray[np.uint8]]


def count_keys(head: WholeHead | None) -> int:
    """Tell how many keys a face has."""
    return 0 if head is None else len(head.keys.names)


_STATIC_ARRAYS = ("corners", "sizes", "uv")


def static_envelope(parts: Mapping[str, StaticPart]) -> list[dict[str, str]]:
    """Return what the envelope of a model says of its parts."""
    return [{"name": name, "material": part.material} for name, part in parts.items()]


def static_arrays(parts: Mapping[str, StaticPart]) -> dict[str, NDArray[Any]]:
    """Return arrays of the parts, all of numbers of 4 bytes."""
    return {
        f"part/{name}/{field}": getattr(part, field)
        for name, part in parts.items()
        for field in _STATIC_ARRAYS
    }


def read_static(fields: list[Any], arrays: Arrays) -> dict[str, StaticPart]:
    """Return the inverse of `static_envelope` and `static_arrays`.

    Raises
    ------
    ContractError
        An array is missing or has a wrong shape, or a polygon is none.
    """
    return {str(entry["name"]): _static_part(entry, arrays) for entry in fields}


def _static_part(entry: Any, arrays: Arrays) -> StaticPart:
    name = f"part/{entry['name']}"
    part = StaticPart(
        finite_array(arrays, f"{name}/corners", "<i4", (None,)),
        finite_array(arrays, f"{name}/sizes", "<i4", (None,)),
        finite_array(arrays, f"{name}/uv", "<f4", (None, 2)),
        str(entry["material"]),
    )
    if not np.isin(part.sizes, (3, 4)).all() or part.sizes.sum() != len(part.corners):
        raise ContractError(f"The polygons of {name!r} do not share out its corners.")
    _check_vertices(part.corners, len(part.uv), name)
    return part


def head_envelope(head: WholeHead | None) -> dict[str, Any] | None:
    """Return what an envelope says of a whole head, or that there is none."""
    if head is None:
        return None
    return {
        "keys": list(head.keys.names),
        "parts": [
            {"name": name, "keys": list(part.keys.names)} for name, part in head.parts.items()
        ],
        "images": list(head.images),
    }


def head_arrays(prefix: str, head: WholeHead | None) -> dict[str, NDArray[Any]]:
    """Return arrays of a whole head, all of numbers of 4 bytes; their names begin with `prefix`."""
    if head is None:
        return {}
    arrays: dict[str, NDArray[Any]] = _key_arrays(f"{prefix}keys", head.keys)
    for name, part in head.parts.items():
        arrays[f"{prefix}part/{name}/vertices"] = part.vertices
        arrays |= _key_arrays(f"{prefix}part/{name}/keys", part.keys)
    return arrays


def image_arrays(prefix: str, head: WholeHead | None) -> dict[str, NDArray[np.uint8]]:
    """Return pictures of a whole head; single bytes, so they come after all other arrays."""
    return {} if head is None else {f"{prefix}image/{k}": v for k, v in head.images.items()}


def read_head(fields: Any, arrays: Arrays, prefix: str, n_vertices: int) -> WholeHead | None:
    """Return the inverse of `head_envelope`, `head_arrays` and `image_arrays`.

    Parameters
    ----------
    n_vertices
        Of the face's mesh.

    Raises
    ------
    ContractError
        An array is missing or has a wrong shape, or a key moves a vertex that does not exist.
    """
    if fields is None:
        return None
    parts = {}
    for entry in entries(fields, "parts"):
        name = str(entry["name"])
        vertices = finite_array(arrays, f"{prefix}part/{name}/vertices", "<f4", (None, 3))
        keys = _read_keys(entry, arrays, f"{prefix}part/{name}/keys", len(vertices))
        parts[name] = PartShape(vertices, keys)
    return WholeHead(
        _read_keys(fields, arrays, f"{prefix}keys", n_vertices),
        parts,
        {
            str(name): array(arrays, f"{prefix}image/{name}", "|u1", (None,))
            for name in entries(fields, "images")
        },
    )


def _key_arrays(name: str, keys: NamedKeys) -> dict[str, NDArray[Any]]:
    return {
        f"{name}/starts": keys.starts,
        f"{name}/vertices": keys.vertices,
        f"{name}/offsets": keys.offsets,
    }


def _read_keys(fields: Any, arrays: Arrays, name: str, n_vertices: int) -> NamedKeys:
    names = tuple(str(key) for key in entries(fields, "keys"))
    vertices = finite_array(arrays, f"{name}/vertices", "<i4", (None,))
    keys = NamedKeys(
        names,
        finite_array(arrays, f"{name}/starts", "<i4", (len(names) + 1,)),
        vertices,
        finite_array(arrays, f"{name}/offsets", "<f4", (len(vertices), 3)),
    )
    ends = keys.starts[0], keys.starts[-1]
    if (
        len(set(names)) < len(names)
        or ends != (0, len(vertices))
        or np.diff(keys.starts).min(initial=0) < 0
    ):
        raise ContractError(f"The keys of {name!r} do not share out their vertices.")
    _check_vertices(vertices, n_vertices, name)
    return keys


def _check_vertices(indices: NDArray[np.int32], n_vertices: int, name: str) -> None:
    if indices.size and not 0 <= indices.min() <= indices.max() < n_vertices:
        raise ContractError(f"{name!r} names a vertex that does not exist.")
