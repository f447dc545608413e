"""What the texture network made, fitted to what the photo shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.blend import mix
from backend.texture.evidence import light_at_seam
from backend.texture.filters import disk, resize, smoothstep

Float = NDArray[np.float32]

# Difference of colour (of 1) between the network's texture and the mirrored photo at which the
# photo's fine detail is no longer taken over: it belongs to something that is elsewhere.
OTHER_DETAIL = np.float32(0.06)
# Logarithm of the photo over the network's face from which something before the face is suspected,
# and from which it is certain: of the light, which shadows change too, and of the hue. The network
# keeps what people's faces have, beards and make-up too.
FOREIGN_LIGHT, FOREIGN_HUE = (1.1, 1.8), (0.35, 0.7)
# Texels: over which the difference is averaged, of holes that are filled, of specks that are let
# be, and that are given up around what is foreign.
FINE_DETAIL, GAP, SPECK, MARGIN = 1.5, 6, 3, 6


def complete(sampled: Float, believed: Float, filled: Float, generated: Float) -> Float:
    """The photo where it is believed, the network's texture in the photo's light elsewhere.

    Parameters
    ----------
    sampled, filled
        (S, S, 3) the photo's colours; the photo over its mirror image and the mean face.
    believed
        (S, S) weight of the photo.
    generated
        (M, M, 3) by the network, in less detail.

    Returns
    -------
    (S, S, 3).

    Notes
    -----
    The seam vanishes because the made part is lit by a smooth field that takes on the quotient of
    photo and made part where both are known: the membrane of Poisson blending (Farbman et al.
    2009), here by pull-push.
    """
    size, small = len(sampled), len(generated)
    known = resize(believed, small, small)
    difference = skin.log_color(resize(sampled, small, small)) - skin.log_color(generated)
    light, near = light_at_seam(difference, known)
    made = enlarge(generated, size)
    made += _detail(filled, generated)
    skin.scale_color(made, enlarge(np.exp(light * near), size), out=made)
    return mix(made, sampled, believed)


def foreign(sampled: Float, generated: Float, believed: Float) -> Float:
    """Where the photo shows something before the face that the network took away.

    Parameters
    ----------
    sampled
        (S, S, 3) the photo's colours.
    generated
        (M, M, 3) by the network.
    believed
        (M, M) weight of the photo so far.

    Returns
    -------
    (M, M) 1 where it certainly does (a hand, a mask, sunglasses), 0 where the photo shows the face.
    """
    small = len(generated)
    difference = skin.log_color(resize(sampled, small, small)) - skin.log_color(generated)
    smooth = cv2.GaussianBlur(difference, (0, 0), FINE_DETAIL)
    light, hue = np.abs(smooth.mean(axis=2)), np.abs(np.diff(smooth, axis=2)).max(axis=2)
    apart = np.maximum(smoothstep(*FOREIGN_LIGHT, light), smoothstep(*FOREIGN_HUE, hue))
    apart *= believed > 0
    # Closing joins what belongs together; opening lets glints and single hairs be.
    steps = ((cv2.MORPH_CLOSE, GAP), (cv2.MORPH_OPEN, SPECK), (cv2.MORPH_DILATE, MARGIN))
    for operation, radius in steps:
        apart = cv2.morphologyEx(apart, operation, disk(radius))
    return np.asarray(cv2.GaussianBlur(apart, (0, 0), MARGIN / 2), np.float32)


def enlarge(picture: Float, size: int) -> Float:
    """A (M, M, 3) picture at a larger size."""
    enlarged = cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.float32)


def _detail(filled: Float, generated: Float) -> Float:
    """(S, S, 3) what is finer than the network's texture, from the photo's mirror image."""
    size, small = len(filled), len(generated)
    coarse = resize(filled, small, small)
    apart = np.abs(coarse - generated).max(axis=2) / OTHER_DETAIL
    agreement = enlarge(np.maximum(1 - apart, 0), size)[..., None]
    detail = enlarge(coarse, size)
    np.subtract(filled, detail, out=detail)
    detail *= agreement
    return detail
