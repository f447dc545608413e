"""The texture network, asked for the whole face that belongs to what is seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.errors import MissingAssetError
from backend.morphable_model.boxes import RoiBox
from backend.texture.chart import MASK_SIZE, Chart
from backend.texture.filters import resize
from backend.texture.observation import Observation
from backend.vision.crop import crop

if TYPE_CHECKING:
    from gan_texture.inference import TextureGenerator

Float = NDArray[np.float32]

# Largest difference of a photo's channels in a photo without colours.
COLOURLESS = 0.02


@dataclass(frozen=True)
class FaceNetwork:
    """The texture network for one chart.

    Attributes
    ----------
    chart
        The texture's.
    generator
        The network; None if it is not loaded.
    """

    chart: Chart
    generator: TextureGenerator | None

    def face(self, seen: Observation, filled: Float) -> Float:
        """Make the whole face.

        Parameters
        ----------
        filled
            (S, S, 3) what is seen, and a guess at the rest.

        Returns
        -------
        (M, M, 3) float32 RGB in [0, 1].

        Raises
        ------
        MissingAssetError
            The network is not loaded.
        """
        if self.generator is None:
            raise MissingAssetError(
                "The texture network is not loaded.", "Choose the texture mode `photo`."
            )
        picture = seen.picture
        landmarks = picture.vertices_image[self.chart.model.landmark_indices]
        face = crop(picture.image, RoiBox.around(landmarks), MASK_SIZE)
        face = face.astype(np.float32) / np.float32(255)
        small = resize(filled, MASK_SIZE, MASK_SIZE)
        lit = np.clip(face / seen.light, 0, 1)
        made = self.generator.make(lit, small, seen.evidence.confidence)
        # The network has learned from photos in colour, and gives grey skin some.
        return _grey(made) if np.ptp(face, axis=2).max() < COLOURLESS else made


def _grey(picture: Float) -> Float:
    """(H, W, 3) without its colours."""
    return np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
