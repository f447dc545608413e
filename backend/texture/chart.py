"""All that is known of a texture before any picture is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import MorphableModel
from backend.texture import skin
from backend.texture.filters import resize
from backend.texture.mean_face import read_mean_texture
from backend.texture.regions import Regions
from backend.texture.uv_map import UvMap

Float = NDArray[np.float32]

# Texels on each side of the small pictures in which weights and light are worked out.
MASK_SIZE = 256


@dataclass(frozen=True)
class Chart:
    """A model's texture at one size.

    Attributes
    ----------
    model
        The model whose texture it is.
    uv_map
        The texels on the surface.
    mean_texture
        (size, size, 3) float32 RGB in [0, 1], the colour map of the mean face.
    """

    model: MorphableModel
    uv_map: UvMap
    mean_texture: Float

    @classmethod
    def of(cls, model: MorphableModel, size: int) -> Chart:
        """Make the chart of square textures of a size, with this package's mean face."""
        return cls(model, UvMap.of(model, size), read_mean_texture(size))

    @property
    def size(self) -> int:
        """Texels on each side."""
        return self.uv_map.size

    @cached_property
    def small_mean(self) -> Float:
        """(M, M, 3) the mean face in less detail."""
        return resize(self.mean_texture, MASK_SIZE, MASK_SIZE)

    @cached_property
    def log_mean(self) -> Float:
        """(M, M, 3) logarithm of the mean face."""
        return skin.log_color(self.small_mean)

    @cached_property
    def regions(self) -> Regions:
        """Parts of the face, (M, M) each."""
        return Regions.of(self.model, self.uv_map, MASK_SIZE)
