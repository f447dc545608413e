"""From the model's frame to Blender's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def blender_from_model(vertices: Array) -> Array:
    """Carry millimetres of the model frame to metres, Z up, the face looking along -Y."""
    metres = vertices * vertices.dtype.type(0.001)
    return np.stack([metres[..., 0], -metres[..., 2], metres[..., 1]], axis=-1)
