"""Things that hide what is inside of them, such as the cube of a new .blend file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from . import identity

Float = NDArray[np.floating]


@dataclass(frozen=True)
class Enclosure:
    """The bounding box of a visible mesh.

    Attributes
    ----------
    name
        Of its object.
    inverse
        (4, 4) from the world to the object's own space.
    low, high
        (3,) corners of the box in that space.
    right
        Largest x that it has in the world: metres.
    size
        Of the box in the world, its longest side: metres.
    """

    name: str
    inverse: Float
    low: Float
    high: Float
    right: float
    size: float

    def holds(self, points: Float) -> bool:
        """Whether all of (N, 3) points of the world are inside."""
        inside = points @ self.inverse[:3, :3].T + self.inverse[:3, 3]
        return bool(((inside > self.low) & (inside < self.high)).all())


def enclosures(objects: Iterable[bpy.types.Object]) -> list[Enclosure]:
    """Those of the objects that are meshes, of no head, and visible in the open view layer."""
    return [
        _enclosure(object)
        for object in objects
        if object.type == "MESH" and identity.UUID not in object and object.visible_get()
    ]


def corners(object: bpy.types.Object) -> Float:
    """(8, 3) of an object's bounding box in the world."""
    matrix = np.array(object.matrix_world)
    return np.array(object.bound_box) @ matrix[:3, :3].T + matrix[:3, 3]


def _enclosure(object: bpy.types.Object) -> Enclosure:
    box, world = np.array(object.bound_box), corners(object)
    return Enclosure(
        object.name,
        np.array(object.matrix_world.inverted_safe()),
        box.min(axis=0),
        box.max(axis=0),
        float(world[:, 0].max()),
        float(np.array(object.dimensions).max()),
    )
