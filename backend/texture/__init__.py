"""Textures from photos: `make_texture` for one, `baker.TextureBaker` for many."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backend.morphable_model.model import MorphableModel


def make_texture(
    photo: NDArray[np.uint8],
    vertices_image: NDArray[np.float32],
    model: MorphableModel,
    size: int = 1024,
) -> NDArray[np.uint8]:
    """Texture of a head in a photo.

    What the photo shows comes from it, the rest from the other half of the face and the mean
    face, in the photo's light.

    Parameters
    ----------
    photo
        (H, W, 3) RGB.
    vertices_image
        (V, 3) in the image frame.
    size
        Texels on each side.

    Returns
    -------
    (size, size, 3) RGB, row 0 is v = 1.
    """
    from backend.texture.baker import TextureBaker

    return TextureBaker.load(model, size).bake(photo, vertices_image)
