"""The user's own shape keys, which follow the head when its shape or its expressions change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray


@contextmanager
def own_keys_kept(head: bpy.types.Object, made: frozenset[str]) -> Iterator[None]:
    """Return what the user's keys add to the shapes that they are relative to is the same
    afterwards.

    Parameters
    ----------
    head
        Mesh object.
    made
        Names of the keys that are not the user's; the mesh's basis is not, either.
    """
    own = [key for key in _blocks(head)[1:] if key.name not in made]
    # Keys behind those that they are relative to.
    own.sort(key=_depth)
    added = {key.name: _coordinates(key) - _coordinates(key.relative_key) for key in own}
    yield
    # Looked up again: Blender may have moved them, or the mesh may have been built anew.
    after = {key.name: key for key in _blocks(head)}
    for name, offsets in added.items():
        key = after.get(name)
        if key is not None:
            key.points.foreach_set("co", _coordinates(key.relative_key) + offsets)


def _depth(key: Any) -> int:
    """Count the keys between it and one that is relative to itself, or in a circle."""
    names: list[str] = []
    while key.name not in names:
        names.append(key.name)
        key = key.relative_key
    return len(names)


def _blocks(head: Any) -> list[Any]:
    keys = head.data.shape_keys
    return list(keys.key_blocks) if keys else []


def _coordinates(key: Any) -> NDArray[np.float32]:
    """Return (3 V,) metres."""
    coordinates = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", coordinates)
    return coordinates
