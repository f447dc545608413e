"""One observation from several of the same head: each texel from where it is seen best."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

import numpy as np

from backend.texture import skin
from backend.texture.blend import mix
from backend.texture.chart import MASK_SIZE
from backend.texture.filters import resize
from backend.texture.light import extend_light
from backend.texture.observation import Observation


def merge(observations: Iterable[Observation]) -> Observation:
    """Take the first wherever it shows the face, the second where the first does not, and so on.

    Each is taken in the light of those before it. Averages would be blurred, because no two fits
    agree to the pixel.

    Parameters
    ----------
    observations
        At least one, the best first. One alone stays as it is. Each is let go before the next is
        asked for: it holds several textures' worth of memory.
    """
    return reduce(_added, observations)


def _added(known: Observation, other: Observation) -> Observation:
    """Return what is known, with what another observation shows besides.

    One that was taken against its judgement adds nothing to one that needed not be.
    """
    if known.evidence.trusted != other.evidence.trusted:
        return other if known.evidence.trusted else known
    both = other.evidence.plain * resize(known.confidence, MASK_SIZE, MASK_SIZE)
    difference = known.log_photo - other.log_photo
    light = extend_light(difference, both, both, np.zeros(3, np.float32))
    lit = skin.relit(other.sampled, light, out=other.sampled)
    share = other.confidence * (1 - known.confidence)
    confidence = np.asarray(known.confidence + share, np.float32)
    share /= np.maximum(confidence, np.float32(1e-6))
    sampled = mix(known.sampled, lit, share, out=lit)
    coarse = resize(share, MASK_SIZE, MASK_SIZE)
    evidence = replace(
        known.evidence,
        confidence=resize(confidence, MASK_SIZE, MASK_SIZE),
        plain=mix(known.evidence.plain, other.evidence.plain, coarse),
    )
    log_photo = skin.log_color(resize(sampled, MASK_SIZE, MASK_SIZE))
    return Observation(known.picture, sampled, confidence, evidence, log_photo, known.light)
