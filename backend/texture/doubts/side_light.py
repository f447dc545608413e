"""Even light on the sides of a face and on its neck, where photos are darker than in front.

Lamps in front leave temples, the cheeks beside the ears and the neck in the shade, and the hair
around them darkens them further. Where the photo ends, such shade would end at a dark band across
the head; Blender's own lamps shade a head's sides anyway.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.evidence import Evidence
from backend.texture.filters import resize
from backend.texture.light import DEEPEST_SHADE, continued
from backend.texture.regions import Regions

Float = NDArray[np.float32]

# Logarithm of light up to which it is evened out, and texels of the light that are smoothed.
STRONGEST, SMOOTH = 0.6, 1.0
# Skin departs less from the expected, once light is even: tolerances are this much tighter. Texels
# that are given up around what is not skin, and around what of the neck is not seen.
TIGHTER, MARGIN, NECK_MARGIN = np.float32(0.55), 2, 4


def in_even_light(difference: Float, evidence: Evidence, regions: Regions) -> Evidence:
    """Take the shade away from the sides of a face, and hair that shows then.

    Parameters
    ----------
    difference
        (M, M, 3) logarithm of the photo over the mean face.
    evidence
        What of it is skin so far.
    """
    found, _ = continued(difference - evidence.tone, evidence.plain)
    light = cv2.GaussianBlur(found, (0, 0), SMOOTH)
    even = np.clip(light.mean(axis=2, keepdims=True), -DEEPEST_SHADE, DEEPEST_SHADE)
    where = resize(np.maximum(regions.sides, regions.neck), *light.shape[:2])[..., None]
    added = np.asarray(-where * np.clip(light - even, -STRONGEST, STRONGEST), np.float32)

    size = len(difference)
    remaining = difference + resize(added - even, size, size) - evidence.tone
    likelihood = skin.skin_likelihood(remaining / TIGHTER, np.zeros(3, np.float32))
    kept = 1 - regions.temples * (1 - skin.shrink_region(likelihood, MARGIN))
    # The jaw's shade has an edge, and what the jaw hides begins there.
    kept *= 1 - regions.neck * (1 - skin.shrink_region(evidence.confidence, NECK_MARGIN))
    return replace(evidence.reduced(np.asarray(kept, np.float32)), added=added)
