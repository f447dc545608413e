"""From a photo and a fitted head to the head's whole texture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import MorphableModel
from backend.texture import skin
from backend.texture.blend import mix
from backend.texture.evidence import Evidence, Regions, extend_light, judge
from backend.texture.filters import resize
from backend.texture.unwrap import unwrap
from backend.texture.uv_map import UvMap
from backend.texture.visibility import visibility

Float = NDArray[np.float32]

MEAN_TEXTURE = Path(__file__).with_name("mean_texture.png")
# Texels on each side of the small pictures in which weights and light are worked out.
MASK_SIZE = 256


@dataclass(frozen=True)
class Observation:
    """What a photo shows of a texture, and a guess at the rest.

    Attributes
    ----------
    sampled
        (S, S, 3) float32 RGB in [0, 1], the photo's colour at every texel, seen or not.
    believed
        (S, S) float32, weight with which that colour is taken.
    filled
        (S, S, 3) float32, the photo where it is believed; elsewhere its mirror image, and the mean
        face in the photo's light.
    evidence
        How much of the photo is skin, at `MASK_SIZE`.
    log_photo
        (M, M, 3) logarithm of the sampled colours, at `MASK_SIZE`.
    """

    sampled: Float
    believed: Float
    filled: Float
    evidence: Evidence
    log_photo: Float


@dataclass(frozen=True)
class TextureBaker:
    """Makes textures for one model. Building it takes longer than using it: keep it.

    Attributes
    ----------
    model
        The model whose chart the textures fill.
    uv_map
        The chart's texels on the surface.
    mean_texture
        (size, size, 3) float32 RGB in [0, 1], the colour map of the mean face.
    """

    model: MorphableModel
    uv_map: UvMap
    mean_texture: Float

    @classmethod
    def load(cls, model: MorphableModel, size: int = 1024) -> TextureBaker:
        """Baker of square textures of a size with the mean colour map of this package."""
        return cls(model, UvMap.of(model, size), read_mean_texture(size))

    @property
    def size(self) -> int:
        """Texels on each side."""
        return self.uv_map.size

    def bake(self, photo: NDArray[np.uint8], vertices_image: Float) -> NDArray[np.uint8]:
        """Texture of a head in a photo.

        Parameters
        ----------
        photo
            (H, W, 3) RGB.
        vertices_image
            (V, 3) in the image frame.

        Returns
        -------
        (size, size, 3) RGB, row 0 is v = 1.
        """
        return to_bytes(self.observe(photo, vertices_image).filled)

    def observe(self, photo: NDArray[np.uint8], vertices_image: Float) -> Observation:
        """Unwrap a photo and judge it; arguments as for `bake`."""
        sampled = unwrap(photo, vertices_image, self.uv_map)
        seen = visibility(vertices_image, self.model, photo.shape[:2])
        visible = resize(self.uv_map.spread(seen[:, None])[..., 0], MASK_SIZE, MASK_SIZE)
        log_photo = skin.log_color(resize(sampled, MASK_SIZE, MASK_SIZE))
        evidence = judge(log_photo - self._log_mean, visible, self._regions)

        believed = resize(evidence.believed, self.size, self.size)
        other, other_weights = self._other_half(sampled, believed, log_photo, evidence)
        unseen = mix(self._mean_face(log_photo, evidence), other, other_weights)
        return Observation(sampled, believed, mix(unseen, sampled, believed), evidence, log_photo)

    def _mean_face(self, log_photo: Float, evidence: Evidence) -> Float:
        """(size, size, 3) the mean face in the photo's light and complexion."""
        difference = log_photo - self._log_mean
        light = extend_light(difference, evidence.plain, evidence.believed, evidence.tone)
        return _relit(self.mean_texture, light)

    def _other_half(
        self, sampled: Float, believed: Float, log_photo: Float, evidence: Evidence
    ) -> tuple[Float, Float]:
        """(size, size, 3) the photo mirrored, in this half's light; (size, size) its weight."""
        mirrored = self.uv_map.mirror(np.dstack([sampled, believed]))
        other, weights = mirrored[..., :3], mirrored[..., 3]
        small = resize(mirrored, MASK_SIZE, MASK_SIZE)
        # Only plain skin tells this half's light: what else differs may be hair or background.
        both = evidence.plain * small[..., 3]
        difference = log_photo - skin.log_color(small[..., :3])
        light = extend_light(difference, both, both, np.zeros(3, np.float32))
        return _relit(other, light), weights

    @cached_property
    def _log_mean(self) -> Float:
        """(M, M, 3) logarithm of the mean face."""
        return skin.log_color(resize(self.mean_texture, MASK_SIZE, MASK_SIZE))

    @cached_property
    def _regions(self) -> Regions:
        spread = self.uv_map.spread(Regions.of_vertices(self.model))
        return Regions(*np.moveaxis(resize(spread, MASK_SIZE, MASK_SIZE), -1, 0))


def read_mean_texture(size: int) -> Float:
    """(size, size, 3) float32 RGB in [0, 1], the mean colour map of this package."""
    from PIL import Image

    with Image.open(MEAN_TEXTURE) as picture:
        mean = np.asarray(picture.convert("RGB"), np.float32) / np.float32(255)
    return resize(mean, size, size)


def to_bytes(texture: Float) -> NDArray[np.uint8]:
    """Colours in [0, 1] to 8 bits."""
    return np.round(np.clip(texture, 0, 1) * 255).astype(np.uint8)


def _relit(picture: Float, log_light: Float) -> Float:
    """A picture under a light that is given in less detail."""
    light = resize(np.exp(log_light), len(picture), len(picture))
    return skin.scale_color(picture, light)
