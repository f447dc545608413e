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

from backend.geometry.normals import vertex_normals
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.regions import region_weights
from backend.texture import skin
from backend.texture.evidence import DEEPEST_SHADE, Evidence, Regions, continued
from backend.texture.filters import resize, smoothstep

Float = NDArray[np.float32]

# Cosine to the front up to which a surface counts as a side, and from which it doesn't.
SIDE, FRONT = 0.45, 0.85
# How far light is evened out below the nose: there beards are dark and should stay so.
BEARD = np.float32(0.65)
# Logarithm of light up to which it is evened out, and texels of the light that are smoothed.
STRONGEST, SMOOTH = 0.6, 1.0
# Skin departs less from the expected, once light is even: tolerances are this much tighter. Texels
# that are given up around what is not skin, and around what of the neck is not seen.
TIGHTER, MARGIN, NECK_MARGIN = np.float32(0.55), 2, 4


def sides(model: MorphableModel) -> Float:
    """(V,) how far light is evened out on the face: 1 on temples, 0 in front."""
    return np.asarray(_beside(model) * (BEARD + (1 - BEARD) * _above_lips(model)), np.float32)


def temples(model: MorphableModel) -> Float:
    """(V,) 1 beside the eyes and above the lips, where what is no plain skin is hair; else 0."""
    return _beside(model) * _above_lips(model)


def neck(model: MorphableModel) -> Float:
    """(V,) 1 below the jaw, where light is evened out too, else 0."""
    return region_weights(model)["neck"].astype(np.float32)


def even_out(difference: Float, evidence: Evidence, regions: Regions) -> tuple[Float, Evidence]:
    """Take the shade away from the sides of a face, and hair that shows then.

    Parameters
    ----------
    difference
        (M, M, 3) logarithm of the photo over the mean face.
    evidence
        What of it is skin.

    Returns
    -------
    (L, L, 3) logarithm of the light that is to be added to the photo; and how far the photo with
    it is believed.
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
    kept *= 1 - regions.neck * (1 - skin.shrink_region(evidence.believed, NECK_MARGIN))
    return added, replace(evidence, believed=evidence.believed * kept, plain=evidence.plain * kept)


def _beside(model: MorphableModel) -> Float:
    """(V,) 1 on surfaces beside the eyes that look to a side."""
    normals = vertex_normals(model.mean, model.triangles)
    eyes = np.abs(model.mean[model.landmark_indices[[36, 45]], 0]).mean()
    outer = smoothstep(eyes, eyes + 18, np.abs(model.mean[:, 0]))
    return outer * (1 - smoothstep(SIDE, FRONT, normals[:, 2]))


def _above_lips(model: MorphableModel) -> Float:
    """(V,) from 0 at the upper lip to 1 above the tip of the nose."""
    nose, lip = model.mean[model.landmark_indices[[33, 51]], 1]
    return smoothstep(lip - 5, nose + 10, model.mean[:, 1])
