"""The opening of the mouth: the model has no inside, so a photo's own is hung behind the lips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from backend.morphable_model.model import MorphableModel

Float = NDArray[np.float32]
Int = NDArray[np.int32]

# Of the inside behind the lips, in parts of the head's width and height together.
DEPTH = 0.02


@dataclass(frozen=True)
class MouthInside:
    """Triangles from the border of the mouth to its middle.

    Attributes
    ----------
    border
        (78,) vertices of the smaller of the mesh's two boundary loops.
    triangles
        (78, 3) from the border's edges to one more vertex, whose index is V.
    """

    border: Int
    triangles: Int

    @classmethod
    def of(cls, model: MorphableModel) -> MouthInside:
        """Find it in the model's mesh."""
        edges = _smallest_border(model.triangles, len(model.mean))
        middle = np.full((len(edges), 1), len(model.mean))
        return cls(np.unique(edges), np.concatenate([edges, middle], axis=1).astype(np.int32))

    def with_middle(self, vertices: Float) -> Float:
        """Carry (V, 3) in the image frame to (V + 1, 3): the last is the middle, behind the
        lips.
        """
        size = np.ptp(vertices[:, 0]) + np.ptp(vertices[:, 1])
        middle = vertices[self.border].mean(axis=0) - [0, 0, DEPTH * size]
        return np.concatenate([vertices, middle[None].astype(np.float32)])


def _smallest_border(triangles: Int, n: int) -> Int:
    """Return (E, 2) edges of the smallest boundary loop of a mesh of n vertices."""
    corners = triangles.astype(np.int64)
    edges = np.sort(np.concatenate([corners[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]), 1)
    codes, times = np.unique(edges[:, 0] * n + edges[:, 1], return_counts=True)
    border = np.stack(np.divmod(codes[times == 1], n), axis=1)
    graph = coo_array((np.ones(len(border)), border.T), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    loops, size = np.unique(component[border[:, 0]], return_counts=True)
    return border[component[border[:, 0]] == loops[size.argmin()]].astype(np.int32)
