"""What covers a face, such as a hand, a mask or sunglasses, by what the texture network expects."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.filters import disk, resize, smoothstep

Float = NDArray[np.float32]

# Logarithm of the photo over the network's face from which something before the face is suspected,
# and from which it is certain: of the light, which shadows change too, and of the hue. The network
# keeps what people's faces have, beards and make-up too.
COVER_LIGHT, COVER_HUE = (1.1, 1.8), (0.35, 0.7)
# Texels: over which the difference is averaged, of holes that are filled, of specks that are let
# be, and that are given up around a cover.
FINE_DETAIL, GAP, SPECK, MARGIN = 1.5, 6, 3, 6


def cover(sampled: Float, generated: Float, confidence: Float) -> Float:
    """Find what lies before the face: the network took it away.

    Parameters
    ----------
    sampled
        (S, S, 3) the photo's colours.
    generated
        (M, M, 3) by the network.
    confidence
        (M, M) weight of the photo so far.

    Returns
    -------
    (M, M) 1 where it certainly does (a hand, a mask, sunglasses), 0 where the photo shows the face.
    """
    small = len(generated)
    difference = skin.log_color(resize(sampled, small, small)) - skin.log_color(generated)
    smooth = cv2.GaussianBlur(difference, (0, 0), FINE_DETAIL)
    light, hue = np.abs(smooth.mean(axis=2)), np.abs(np.diff(smooth, axis=2)).max(axis=2)
    apart = np.maximum(smoothstep(*COVER_LIGHT, light), smoothstep(*COVER_HUE, hue))
    apart *= confidence > 0
    # Closing joins what belongs together; opening lets glints and single hairs be.
    steps = ((cv2.MORPH_CLOSE, GAP), (cv2.MORPH_OPEN, SPECK), (cv2.MORPH_DILATE, MARGIN))
    for operation, radius in steps:
        apart = cv2.morphologyEx(apart, operation, disk(radius))
    return np.asarray(cv2.GaussianBlur(apart, (0, 0), MARGIN / 2), np.float32)
