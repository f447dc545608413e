"""From a photo and a fitted head to the head's whole texture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from backend.errors import MissingAssetError
from backend.geometry.camera import roi_box_around
from backend.morphable_model.model import MorphableModel
from backend.texture import skin
from backend.texture.blend import mix
from backend.texture.completion import complete, enlarge, foreign
from backend.texture.evidence import Evidence, Regions, extend_light, judge
from backend.texture.filters import resize
from backend.texture.hairline import above_brows, forehead, without_hair
from backend.texture.mean_face import read_mean_texture
from backend.texture.side_light import even_out, neck, sides, temples
from backend.texture.spectacles import below_eyes, without_frames
from backend.texture.unwrap import unwrap
from backend.texture.uv_map import UvMap
from backend.texture.visibility import visibility
from backend.vision.crop import crop

if TYPE_CHECKING:
    from gan_texture.inference import TextureGenerator

Float = NDArray[np.float32]

# How a texture is made: the photo where it shows the face and the network's texture elsewhere; the
# network's alone; the photo over its mirror image and the mean face; the mean face in the photo's
# light.
Mode = Literal["photo+gan", "gan", "photo", "mean"]
MODES: tuple[Mode, ...] = ("photo+gan", "gan", "photo", "mean")
NETWORK_MODES: tuple[Mode, ...] = ("photo+gan", "gan")
# Texels on each side of the small pictures in which weights and light are worked out.
MASK_SIZE = 256
# Largest difference of a pixel's channels in a photo without colours.
COLOURLESS = 0.02


@dataclass(frozen=True)
class Observation:
    """What a photo shows of a texture.

    Attributes
    ----------
    sampled
        (S, S, 3) float32 RGB in [0, 1], the photo's colour at every texel, seen or not, in even
        light at the sides.
    believed
        (S, S) float32, weight with which that colour is taken.
    evidence
        How much of what the camera sees is skin.
    log_photo
        (M, M, 3) logarithm of the sampled colours.
    """

    sampled: Float
    believed: Float
    evidence: Evidence
    log_photo: Float


@dataclass(frozen=True)
class TextureSet:
    """A texture with what it was made from; row 0 is v = 1.

    Attributes
    ----------
    albedo
        (S, S, 3) uint8 RGB, the texture.
    visibility
        (S, S) uint8, how far the photo is believed; 255 is wholly.
    template
        (S, S, 3) uint8 RGB, the mean face in the photo's light.
    """

    albedo: NDArray[np.uint8]
    visibility: NDArray[np.uint8]
    template: NDArray[np.uint8]


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
    generator
        The texture network, for the modes that need it.
    """

    model: MorphableModel
    uv_map: UvMap
    mean_texture: Float
    generator: TextureGenerator | None = None

    @classmethod
    def load(
        cls, model: MorphableModel, size: int = 1024, generator: TextureGenerator | None = None
    ) -> TextureBaker:
        """Baker of square textures of a size with the mean colour map of this package."""
        return cls(model, UvMap.of(model, size), read_mean_texture(size), generator)

    @property
    def size(self) -> int:
        """Texels on each side."""
        return self.uv_map.size

    def bake(
        self, photo: NDArray[np.uint8], vertices_image: Float, mode: Mode = "photo"
    ) -> NDArray[np.uint8]:
        """Texture of a head in a photo.

        Parameters
        ----------
        photo
            (H, W, 3) RGB.
        vertices_image
            (V, 3) in the image frame.
        mode
            How the texture is made; see `MODES`.

        Returns
        -------
        (size, size, 3) RGB, row 0 is v = 1.
        """
        return self.texture_set(photo, vertices_image, mode).albedo

    def texture_set(
        self, photo: NDArray[np.uint8], vertices_image: Float, mode: Mode = "photo"
    ) -> TextureSet:
        """A texture, and what it was made from; arguments as for `bake`."""
        seen = self.observe(photo, vertices_image)
        filled = self.fill(seen)
        generated = None
        if mode in NETWORK_MODES:
            generated = self.generate(photo, vertices_image, filled, seen.evidence.believed)
            covered = foreign(seen.sampled, generated, seen.evidence.believed)
            if covered.max() > 0:
                seen = self.observe(photo, vertices_image, covered)
                filled = self.fill(seen)
                generated = self.generate(photo, vertices_image, filled, seen.evidence.believed)
        template = self._mean_face(seen.log_photo, seen.evidence)
        if generated is None:
            albedo = filled if mode == "photo" else template
        elif mode == "gan":
            albedo = enlarge(generated, self.size)
        else:
            albedo = complete(seen.sampled, seen.believed, filled, generated)
        return TextureSet(*(to_bytes(a) for a in (albedo, seen.believed, template)))

    def generate(
        self, photo: NDArray[np.uint8], vertices_image: Float, filled: Float, believed: Float
    ) -> Float:
        """(M, M, 3) float32 RGB in [0, 1], the network's texture.

        Parameters
        ----------
        filled
            (S, S, 3) what the photo shows, and a guess at the rest; see `fill`.
        believed
            (M, M) weight of the photo.

        Raises
        ------
        MissingAssetError
            This baker has no network.
        """
        if self.generator is None:
            raise MissingAssetError(
                "The texture network is not loaded.", "Choose the texture mode `photo`."
            )
        box = roi_box_around(vertices_image[self.model.landmark_indices])
        face = crop(photo, box, MASK_SIZE).astype(np.float32) / np.float32(255)
        small = resize(filled, MASK_SIZE, MASK_SIZE)
        made = self.generator.make(face, small, believed)
        # The network has learned from photos in colour, and gives grey skin some.
        return _grey(made) if np.ptp(face, axis=2).max() < COLOURLESS else made

    def observe(
        self, photo: NDArray[np.uint8], vertices_image: Float, covered: Float | None = None
    ) -> Observation:
        """Unwrap a photo and judge it; arguments as for `bake`.

        Parameters
        ----------
        covered
            (M, M) how far something in front covers the face, which is then not believed.
        """
        sampled = unwrap(photo, vertices_image, self.uv_map)
        seen = visibility(vertices_image, self.model, photo.shape[:2])
        visible = resize(self.uv_map.spread(seen[:, None])[..., 0], MASK_SIZE, MASK_SIZE)
        if covered is not None:
            visible = visible * (1 - covered)
        difference = skin.log_color(resize(sampled, MASK_SIZE, MASK_SIZE)) - self._log_mean
        evidence = judge(difference, visible, self._regions)
        evidence = without_hair(difference, evidence, self._regions)
        evidence = without_frames(difference, evidence, self._regions)
        added, evidence = even_out(difference, evidence, self._regions)
        sampled = _relit(sampled, added, out=sampled)
        log_photo = skin.log_color(resize(sampled, MASK_SIZE, MASK_SIZE))
        believed = resize(evidence.believed, self.size, self.size)
        return Observation(sampled, believed, evidence, log_photo)

    def fill(self, seen: Observation) -> Float:
        """What a photo shows, and a guess at the rest.

        Returns
        -------
        (S, S, 3) float32, the photo where it is believed; elsewhere its mirror image, and the mean
        face in the photo's light.
        """
        other, weights = self._other_half(seen)
        mean_face = self._mean_face(seen.log_photo, seen.evidence)
        unseen = mix(mean_face, other, weights, out=other)
        return mix(unseen, seen.sampled, seen.believed, out=mean_face)

    def _mean_face(self, log_photo: Float, evidence: Evidence) -> Float:
        """(size, size, 3) the mean face in the photo's light and complexion."""
        difference = log_photo - self._log_mean
        light = extend_light(difference, evidence.plain, evidence.believed, evidence.tone)
        return _relit(self.mean_texture, light)

    def _other_half(self, seen: Observation) -> tuple[Float, Float]:
        """(size, size, 3) the photo mirrored, in this half's light; (size, size) its weight."""
        other, weights = (self.uv_map.mirror(p) for p in (seen.sampled, seen.believed))
        # Only plain skin tells this half's light: what else differs may be hair or background.
        both = seen.evidence.plain * resize(weights, MASK_SIZE, MASK_SIZE)
        difference = seen.log_photo - skin.log_color(resize(other, MASK_SIZE, MASK_SIZE))
        light = extend_light(difference, both, both, np.zeros(3, np.float32))
        return _relit(other, light, out=other), weights

    @cached_property
    def _log_mean(self) -> Float:
        """(M, M, 3) logarithm of the mean face."""
        return skin.log_color(resize(self.mean_texture, MASK_SIZE, MASK_SIZE))

    @cached_property
    def _regions(self) -> Regions:
        # In the order of the attributes.
        parts = (
            *(skin.face_core, skin.features, skin.cheeks),
            *(sides, temples, neck),
            *(forehead, above_brows, below_eyes),
        )
        spread = self.uv_map.spread(np.stack([part(self.model) for part in parts], axis=1))
        return Regions(*np.moveaxis(resize(spread, MASK_SIZE, MASK_SIZE), -1, 0))


def _grey(picture: Float) -> Float:
    """(H, W, 3) without its colours."""
    return np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)


def to_bytes(texture: Float) -> NDArray[np.uint8]:
    """Colours in [0, 1] to 8 bits."""
    scaled = np.clip(texture, 0, 1)
    scaled *= 255
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _relit(picture: Float, log_light: Float, out: Float | None = None) -> Float:
    """A picture under a light that is given in less detail; `out` may be the picture."""
    light = resize(np.exp(log_light), len(picture), len(picture))
    return skin.scale_color(picture, light, out)
