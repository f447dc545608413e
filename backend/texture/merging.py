"""One texture from several pictures of the same head: each texel from where it is seen best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.baker import MASK_SIZE, Mode, TextureBaker, to_bytes
from backend.texture.blend import mix
from backend.texture.completion import complete
from backend.texture.evidence import extend_light
from backend.texture.filters import resize

Float = NDArray[np.float32]


@dataclass(frozen=True)
class PosedPicture:
    """A picture of a head.

    Attributes
    ----------
    image
        (H, W, 3) uint8 RGB.
    vertices_image
        (V, 3) float32 in the picture's frame.
    """

    image: NDArray[np.uint8]
    vertices_image: Float


def merged_texture(
    baker: TextureBaker, pictures: list[PosedPicture], mode: Mode = "photo"
) -> NDArray[np.uint8]:
    """Texture of a head that was seen several times.

    The first picture is taken wherever it shows the face, the second where the first does not,
    and so on, each in the light of those before it: averages would be blurred, because no two
    fits agree to the pixel. What no picture shows is filled as for the first alone.

    Parameters
    ----------
    pictures
        At least one, the best first.
    mode
        See `backend.texture.baker.MODES`; modes that do not show the photo take the first only.

    Returns
    -------
    (S, S, 3) uint8 RGB, row 0 is v = 1.
    """
    first = pictures[0]
    if mode in ("gan", "mean"):
        return baker.bake(first.image, first.vertices_image, mode)
    seen = baker.observe(first.image, first.vertices_image)
    filled = baker.fill(seen)
    generated = None
    if mode == "photo+gan":
        believed = seen.evidence.believed
        generated = baker.generate(first.image, first.vertices_image, filled, believed)
    colors, known = seen.sampled, seen.believed
    del seen  # A texture's worth of memory, as every one here.
    for picture in pictures[1:]:
        colors, known = _added(baker, colors, known, picture)
    filled = mix(filled, colors, known)
    return to_bytes(filled if generated is None else complete(colors, known, filled, generated))


def _added(
    baker: TextureBaker, colors: Float, known: Float, picture: PosedPicture
) -> tuple[Float, Float]:
    """Colours and their weights, with what another picture shows besides."""
    seen = baker.observe(picture.image, picture.vertices_image)
    size = len(known)
    small = resize(colors, MASK_SIZE, MASK_SIZE)
    both = seen.evidence.plain * resize(known, MASK_SIZE, MASK_SIZE)
    difference = skin.log_color(small) - seen.log_photo
    light = extend_light(difference, both, both, np.zeros(3, np.float32))
    relit = skin.scale_color(seen.sampled, resize(np.exp(light), size, size), out=seen.sampled)
    share = seen.believed * (1 - known)
    total = np.asarray(known + share, np.float32)
    share /= np.maximum(total, np.float32(1e-6))
    return mix(colors, relit, share, out=relit), total
