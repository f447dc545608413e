"""How far to believe an unwrapped photo: is it the face that it shows there?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.blend import extend, mix
from backend.texture.filters import resize

Float = NDArray[np.float32]

LIGHT_SIZE = 64
# Texels that are given up around what is not skin.
MASK_MARGIN = 3
# Logarithm by which light may differ between the cheeks and skin that isn't seen.
DEEPEST_SHADE = np.float32(0.08)
# Texels of the light over which a fill goes over from the light at its seam to that at large.
SEAM_REACH = 3.0


@dataclass(frozen=True)
class Regions:
    """Parts of the face, (M, M) weights each; see the functions of these names."""

    core: Float
    features: Float
    cheeks: Float
    sides: Float
    temples: Float
    neck: Float
    forehead: Float
    above_brows: Float
    below_eyes: Float


@dataclass(frozen=True)
class Evidence:
    """What a photo tells about a texture.

    Attributes
    ----------
    believed
        (M, M) weight with which the photo's colours are taken.
    plain
        (M, M) weight of the texels that show plain skin, from which light can be read.
    tone
        (3,) logarithm of the photo's cheeks over those of the mean face.
    """

    believed: Float
    plain: Float
    tone: Float


def judge(difference: Float, visible: Float, regions: Regions) -> Evidence:
    """Weigh the texels of an unwrapped photo.

    Parameters
    ----------
    difference
        (M, M, 3) logarithm of the photo over the mean face.
    visible
        (M, M) weight with which the camera sees the surface.
    """
    sure = visible * regions.cheeks > 0.5
    if not sure.any():
        tone = np.zeros(3, np.float32)
        return Evidence(np.zeros_like(visible), np.zeros_like(visible), tone)
    tone = skin.weighted_median(difference[sure], (visible * regions.cheeks)[sure])
    face = visible * regions.core * skin.skin_likelihood(difference, tone)
    light = resize(extend_light(difference, face, face, tone), *visible.shape)
    likelihood = skin.shrink_region(skin.skin_likelihood(difference, light), MASK_MARGIN)
    # Towards an outline even the core may show what is behind it, and no skin is green or blue.
    possible = np.maximum(regions.features, skin.possible_hue(difference, light))
    trusted = regions.core * visible**2 * possible
    plain = visible * likelihood
    return Evidence(mix(plain, visible, trusted), plain, tone)


def extend_light(difference: Float, plain: Float, believed: Float, tone: Float) -> Float:
    """Light for what fills a texture: plain skin's at large, what adjoins near a seam.

    Parameters
    ----------
    difference
        (M, M, 3) logarithm of the photo over what fills.
    plain, believed
        (M, M) weights of plain skin, and of all that the photo contributes. The light that hair
        or a beard suggests is right at their edge, so that no seam shows, and wrong farther off.
    tone
        (3,) the light that plain skin has on average.

    Returns
    -------
    (L, L, 3) logarithm of the light, smooth, so in less detail.
    """
    at_large, _ = continued(difference - tone, plain)
    # Far from what is seen, deep shade and another hue are guesses: they come from stubble and
    # hair that pass for shaded skin more often than from lamps.
    shade = np.clip(at_large.mean(axis=2, keepdims=True), -DEEPEST_SHADE, DEEPEST_SHADE)
    light = tone + shade
    at_seam, near = light_at_seam(difference, believed)
    return light + near * (at_seam - light)


def light_at_seam(difference: Float, believed: Float) -> tuple[Float, Float]:
    """Light that makes a fill go over into what is believed; arguments as for `extend_light`.

    Returns
    -------
    (L, L, 3) logarithm of the light, and (L, L, 1) how near the seam is: 1 at it, 0 far from it.
    """
    at_seam, amount = continued(difference, believed)
    near = np.asarray(cv2.GaussianBlur(amount, (0, 0), SEAM_REACH), np.float32)
    return at_seam, np.minimum(2 * near, 1)[..., None]


def continued(difference: Float, known: Float) -> tuple[Float, Float]:
    """Continue known values smoothly, in less detail; also how much of each texel is known."""
    amount = resize(known, LIGHT_SIZE, LIGHT_SIZE)
    total = resize(difference * known[..., None], LIGHT_SIZE, LIGHT_SIZE)
    return extend(total / np.maximum(amount, 1e-6)[..., None], amount), amount
