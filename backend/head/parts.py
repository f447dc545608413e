"""What every part of a head is: a mesh with a name, a material, and how the 52 keys move it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
Int = NDArray[np.integer]
Deltas = Mapping[str, Float]

# Millimetres. What a key moves less is not moved by it.
STILL = 0.005


@dataclass(frozen=True)
class Part:
    """A mesh beside the face.

    Attributes
    ----------
    name
        As ``eye_left``; left is the person's.
    vertices
        (N, 3) float32, millimetres in the model frame, without expression.
    faces
        (F, 4) int32, anticlockwise seen from where the part is seen; a triangle repeats its last
        vertex.
    uv
        (N, 2) float32 in [0, 1], in the texture of its material.
    material
        Name of its texture: ``skin`` is the face's own; ``eye``, ``mouth`` and ``scalp`` are small
        ones, see `backend.head.dress`.
    deltas
        By the name of a key (``jawOpen``): (N, 3) float32, millimetres at 1. Keys that don't move
        the part are absent.
    """

    name: str
    vertices: Float
    faces: Int
    uv: Float
    material: str
    deltas: Deltas = field(default_factory=dict)

    @property
    def triangles(self) -> NDArray[np.int32]:
        """(T, 3), each quad cut in two."""
        return triangulated(self.faces)

    def at(self, weights: Mapping[str, float]) -> Float:
        """(N, 3) vertices with keys set to weights."""
        vertices = self.vertices.astype(np.float32, copy=True)
        for name, weight in weights.items():
            if name in self.deltas:
                vertices += np.float32(weight) * self.deltas[name]
        return vertices


def triangulated(faces: Int) -> NDArray[np.int32]:
    """(T, 3) triangles of (F, 4) quads; of a quad that repeats its last vertex, one."""
    first, second = faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]
    return np.concatenate([first, second[faces[:, 2] != faces[:, 3]]]).astype(np.int32)


def moving(deltas: Deltas) -> dict[str, NDArray[np.float32]]:
    """Return the keys that move something."""
    return {
        name: np.asarray(delta, np.float32)
        for name, delta in deltas.items()
        if np.abs(delta).max(initial=0) > STILL
    }


def grid_faces(rows: int, columns: int, *, closed: bool = False) -> NDArray[np.int32]:
    """(F, 4) quads of a grid stored row by row; `closed` joins the last column to the first.

    They are anticlockwise where columns go to the right and rows down.
    """
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        index = np.hstack([index, index[:, :1]])
    corners = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    return np.stack([corner.ravel() for corner in corners], axis=1).astype(np.int32)


def fan_faces(ring: Int, centre: int) -> NDArray[np.int32]:
    """(F, 4) triangles from a closed ring to a vertex, in the ring's sense."""
    last = np.full(len(ring), centre)
    return np.stack([ring, np.roll(ring, -1), last, last], axis=1).astype(np.int32)


def flipped(faces: Int) -> NDArray[np.int32]:
    """Faces that show their other side; triangles still repeat their last vertex."""
    quad = faces[:, 2] != faces[:, 3]
    turned = faces[:, [1, 0, 2, 3]]
    turned[quad] = faces[quad][:, ::-1]
    return turned.astype(np.int32)
