"""Smooth light in which one picture of a face goes over into another, in logarithms."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.texture.blend import extend
from backend.texture.filters import resize

Float = NDArray[np.float32]

LIGHT_SIZE = 64
# Logarithm by which light may differ between the cheeks and skin that isn't seen.
DEEPEST_SHADE = np.float32(0.08)
# Texels of the light over which a fill goes over from the light at its seam to that at large.
SEAM_REACH = 3.0


def extend_light(difference: Float, plain: Float, confidence: Float, tone: Float) -> Float:
    """Continue the light of a photo over what fills its texture.

    It is plain skin's light at large, and near a seam that of what adjoins.

    Parameters
    ----------
    difference
        (M, M, 3) logarithm of the photo over what fills.
    plain, confidence
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
    at_seam, near = light_at_seam(difference, confidence)
    return light + near * (at_seam - light)


def light_at_seam(difference: Float, confidence: Float) -> tuple[Float, Float]:
    """Find the light that makes a fill go over into the photo; arguments as for `extend_light`.

    Returns
    -------
    (L, L, 3) logarithm of the light, and (L, L, 1) how near the seam is: 1 at it, 0 far from it.
    """
    at_seam, amount = continued(difference, confidence)
    near = np.asarray(cv2.GaussianBlur(amount, (0, 0), SEAM_REACH), np.float32)
    return at_seam, np.minimum(2 * near, 1)[..., None]


def continued(difference: Float, known: Float) -> tuple[Float, Float]:
    """Continue known values smoothly, in less detail; also how much of each texel is known."""
    amount = resize(known, LIGHT_SIZE, LIGHT_SIZE)
    total = resize(difference * known[..., None], LIGHT_SIZE, LIGHT_SIZE)
    return extend(total / np.maximum(amount, 1e-6)[..., None], amount), amount
