"""How far a picture tells the colours of a face, texel by texel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.blend import mix
from backend.texture.filters import resize
from backend.texture.half_shadow import shade_of
from backend.texture.light import LIGHT_SIZE, extend_light
from backend.texture.regions import Regions

Float = NDArray[np.float32]

# Texels that are given up around what is not skin.
MASK_MARGIN = 3
# Share of the middle of a face that is rejected at most.
MOST = 0.6


@dataclass(frozen=True)
class Evidence:
    """What a picture tells about a texture.

    Attributes
    ----------
    confidence
        (M, M) weight with which the picture's colours are taken.
    plain
        (M, M) weight of the texels that show plain skin, from which light can be read.
    tone
        (3,) logarithm of the picture's cheeks over those of the mean face.
    added
        (L, L, 3) logarithm of the light that is to be added to the picture.
    trusted
        Whether the middle of the face was taken although its colours are none that skin has.
    """

    confidence: Float
    plain: Float
    tone: Float
    added: Float
    trusted: bool = False

    def reduced(self, kept: Float) -> Evidence:
        """Keep a share of every texel, (M, M) in [0, 1]."""
        return replace(self, confidence=self.confidence * kept, plain=self.plain * kept)


def weigh(difference: Float, visible: Float, regions: Regions) -> Evidence:
    """Weigh the texels of an unwrapped picture.

    Parameters
    ----------
    difference
        (M, M, 3) logarithm of the picture over the mean face.
    visible
        (M, M) weight with which the camera sees the surface.
    """
    unlit = np.zeros((LIGHT_SIZE, LIGHT_SIZE, 3), np.float32)
    plainest = visible * regions.plainest(visible)
    sure = plainest > 0.5
    if not sure.any():
        tone = np.zeros(3, np.float32)
        return Evidence(np.zeros_like(visible), np.zeros_like(visible), tone, unlit)
    shaded = shade_of(difference, visible, regions)
    difference = difference - shaded
    tone = skin.weighted_median(difference[sure], plainest[sure])
    face = visible * regions.face_core * skin.skin_likelihood(difference, tone)
    light = resize(extend_light(difference, face, face, tone), *visible.shape)
    likelihood = skin.shrink_region(skin.skin_likelihood(difference, light), MASK_MARGIN)
    # Towards an outline even the core may show what is behind it, and no skin is green or blue.
    possible = np.maximum(regions.features, skin.possible_hue(difference, light))
    middle = regions.face_core * visible**2
    trusted = mostly(1 - possible, middle * (1 - regions.features))
    if trusted:
        possible = np.ones_like(possible)
    plain = visible * likelihood
    return Evidence(mix(plain, visible, middle * possible), plain, tone, unlit, trusted)


def mostly(rejected: Float, middle: Float) -> bool:
    """Whether most of a face's middle would be rejected: then it is the judgement that is wrong."""
    return float((rejected * middle).sum()) > MOST * float(middle.sum())
