"""From pictures and a fitted head to the head's whole texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.exchange.contract import TextureMode
from backend.morphable_model.model import MorphableModel
from backend.progress import Progress, no_progress, parts
from backend.texture.chart import Chart
from backend.texture.covers.finding import CoverFinder
from backend.texture.face_network import FaceNetwork
from backend.texture.fill import FILLS
from backend.texture.fill.mean import mean_face
from backend.texture.merging import merge
from backend.texture.observation import Observation, PosedPicture, observe

if TYPE_CHECKING:
    from gan_texture.inference import TextureGenerator

Float = NDArray[np.float32]

# What is being done, for a person to read; and the share of it that is looking at the pictures.
STAGE, LOOKED = "making the texture", 0.6
DOUBTFUL = (
    "Most of the face has colours that no face is known to have, or is covered. The texture shows "
    "the photo as it is: look at it, and take a photo in better light if it is wrong."
)


@dataclass(frozen=True)
class TextureSet:
    """A texture with what it was made from; row 0 is v = 1.

    Attributes
    ----------
    albedo
        (S, S, 3) uint8 RGB, the texture.
    visibility
        (S, S) uint8, how far the pictures are shown; 255 is wholly.
    template
        (S, S, 3) uint8 RGB, the mean face in the photo's light.
    remark
        What a person should know of it; empty if there is nothing.
    """

    albedo: NDArray[np.uint8]
    visibility: NDArray[np.uint8]
    template: NDArray[np.uint8]
    remark: str = ""


@dataclass(frozen=True)
class TextureBaker:
    """Makes textures for one model. Building it takes longer than using it: keep it.

    Attributes
    ----------
    chart
        The textures' chart.
    generator
        The texture network, for the modes that need it.
    """

    chart: Chart
    generator: TextureGenerator | None = None

    @classmethod
    def load(
        cls, model: MorphableModel, size: int = 1024, generator: TextureGenerator | None = None
    ) -> TextureBaker:
        """Make a baker of square textures of a size, with this package's mean face."""
        return cls(Chart.of(model, size), generator)

    @property
    def model(self) -> MorphableModel:
        """The model whose textures they are."""
        return self.chart.model

    def bake(
        self,
        photo: NDArray[np.uint8],
        vertices_image: Float,
        mode: TextureMode = TextureMode.PHOTO,
    ) -> NDArray[np.uint8]:
        """Make the texture of a head in a photo.

        Parameters
        ----------
        photo
            (H, W, 3) RGB.
        vertices_image
            (V, 3) in the image frame.
        mode
            How the texture is made.

        Returns
        -------
        (size, size, 3) RGB, row 0 is v = 1.
        """
        return self.texture_set([PosedPicture(photo, vertices_image)], mode).albedo

    def texture_set(
        self,
        pictures: Sequence[PosedPicture],
        mode: TextureMode = TextureMode.PHOTO,
        progress: Progress = no_progress,
    ) -> TextureSet:
        """Make the texture of a head that was seen once or several times.

        Parameters
        ----------
        pictures
            At least one, the best first: it is taken wherever it shows the face, the second where
            the first does not, and so on.
        mode
            How the texture is made.
        progress
            Called with the share that is done; may raise `CancelledError` to stop the work.

        Raises
        ------
        MissingAssetError
            The mode needs the texture network, and this baker has none.
        """
        fill, network = FILLS[mode], FaceNetwork(self.chart, self.generator)
        looks = parts(progress, 0.0, LOOKED, len(pictures))
        seen = merge(
            self._seen(picture, look, fill.by_network)
            for picture, look in zip(pictures, looks, strict=True)
        )
        progress(LOOKED, STAGE)
        made = fill.make(seen, self.chart, network), seen.confidence, mean_face(seen, self.chart)
        albedo, visible, template = made
        return TextureSet(
            to_bytes(albedo * seen.light),
            to_bytes(visible),
            to_bytes(template * seen.light),
            DOUBTFUL if seen.evidence.trusted else "",
        )

    def observe(self, picture: PosedPicture) -> Observation:
        """Unwrap a picture and weigh what it shows, without asking the network."""
        return observe(picture, self.chart)

    @cached_property
    def _finder(self) -> CoverFinder:
        return CoverFinder.load()

    def _seen(self, picture: PosedPicture, progress: Progress, uncovered: bool) -> Observation:
        """Return what a picture shows; `uncovered` leaves out what lies before the face."""
        progress(0.0, STAGE)
        return observe(picture, self.chart, self._finder if uncovered else None)


def to_bytes(texture: Float) -> NDArray[np.uint8]:
    """Round colours in [0, 1] to 8 bits."""
    scaled = np.clip(texture, 0, 1)
    scaled *= 255
    return np.rint(scaled, out=scaled).astype(np.uint8)
