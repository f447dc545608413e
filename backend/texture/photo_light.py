"""The colour of a photo's light, read from the face itself.

Skin, hair and lips are told apart by their hues, and the texture network knows people in daylight.
So a photo in the light of a candle or of a coloured lamp is looked at as if in daylight, and its
texture gets the photo's light back in the end.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.regions import Regions

Float = NDArray[np.float32]

# Logarithms of red over green and of green over blue by which complexions and the white balance of
# cameras differ at most, to either side of the mean face: light within them is no colour.
COMPLEXION = 0.35, 0.35
# Logarithm by which one channel may be darker than another: what is darker still is noise.
DEEPEST = np.float32(3.2)
# Darkest value of a channel, of 1, that still has a hue.
DARK = np.float32(0.004)


def light_of(sampled: Float, mean_face: Float, visible: Float, regions: Regions) -> Float:
    """Find the colour of a photo's light.

    Parameters
    ----------
    sampled, mean_face
        (M, M, 3) RGB, the photo and the mean face.
    visible
        (M, M) weight with which the camera sees the face, without what covers it.

    Returns
    -------
    (3,) float32, by which daylight is to be multiplied, 1 in the channel that it leaves most of;
    1 in all in daylight.
    """
    weights = visible * regions.plainest(visible)
    sure = weights > 0.5
    if not sure.any():
        return np.ones(3, np.float32)
    seen, mean = (skin.weighted_median(p[sure], weights[sure]) for p in (sampled, mean_face))
    red, green, blue = np.log(np.maximum(seen, DARK) / np.maximum(mean, DARK))
    warm, pale = _beyond(red - green, COMPLEXION[0]), _beyond(green - blue, COMPLEXION[1])
    tone = np.array([warm, 0, -pale])
    return np.exp(np.maximum(tone - tone.max(), -DEEPEST)).astype(np.float32)


def _beyond(value: float, limit: float) -> float:
    """By how much a value is beyond a limit, to either side."""
    return float(np.sign(value) * max(abs(value) - limit, 0))
