"""Which vertex lies where on the other side of the face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import N_VERTICES
from backend.morphable_model.topology import NO_VERTEX, Grids


def mirror_indices(grids: Grids) -> NDArray[np.int32]:
    """Return (53215,) partner of each vertex, found by reversing the columns of the grids.

    Fourteen vertices between the lips have no partner, because the cut of the mouth is not
    symmetric; they are their own.
    """
    partners = np.arange(N_VERTICES, dtype=np.int32)
    for grid in grids:
        mirrored = grid[:, ::-1]
        paired = (grid != NO_VERTEX) & (mirrored != NO_VERTEX)
        partners[grid[paired]] = mirrored[paired]
    return partners
