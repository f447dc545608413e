"""The photo, filled by the texture network, and the network's face alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.blend import mix
from backend.texture.chart import Chart
from backend.texture.face_network import FaceNetwork
from backend.texture.fill.mirror import mirrored
from backend.texture.filters import resize
from backend.texture.light import light_at_seam
from backend.texture.observation import Observation

Float = NDArray[np.float32]

# Difference of colour (of 1) between the network's texture and the mirrored photo at which the
# photo's fine detail is no longer taken over: it belongs to something that is elsewhere.
OTHER_DETAIL = np.float32(0.06)


def completed(seen: Observation, chart: Chart, network: FaceNetwork) -> Float:
    """Show the photo where it can be trusted, and the network's face elsewhere; (S, S, 3)."""
    filled = mirrored(seen, chart)
    return complete(seen.sampled, seen.confidence, filled, network.face(seen, filled))


def network_face(seen: Observation, chart: Chart, network: FaceNetwork) -> Float:
    """Show the network's face alone, in less detail; (S, S, 3)."""
    return enlarge(network.face(seen, mirrored(seen, chart)), chart.size)


def complete(sampled: Float, confidence: Float, filled: Float, generated: Float) -> Float:
    """Lay the photo over the network's face in the photo's light.

    Parameters
    ----------
    sampled, filled
        (S, S, 3) the photo's colours; the photo over its mirror image and the mean face.
    confidence
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
    known = resize(confidence, small, small)
    difference = skin.log_color(resize(sampled, small, small)) - skin.log_color(generated)
    light, near = light_at_seam(difference, known)
    made = enlarge(generated, size)
    made += _detail(filled, generated)
    skin.scale_color(made, enlarge(np.exp(light * near), size), out=made)
    return mix(made, sampled, confidence)


def enlarge(picture: Float, size: int) -> Float:
    """Return a (M, M, 3) picture at a larger size."""
    enlarged = cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.float32)


def _detail(filled: Float, generated: Float) -> Float:
    """Return (S, S, 3) what is finer than the network's texture, from the photo's mirror image."""
    size, small = len(filled), len(generated)
    coarse = resize(filled, small, small)
    apart = np.abs(coarse - generated).max(axis=2) / OTHER_DETAIL
    agreement = enlarge(np.maximum(1 - apart, 0), size)[..., None]
    detail = enlarge(coarse, size)
    np.subtract(filled, detail, out=detail)
    detail *= agreement
    return detail
