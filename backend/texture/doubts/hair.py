"""Hair that hangs into a forehead: light strands and soft edges that pass for shaded skin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.evidence import Evidence
from backend.texture.filters import disk, smoothstep
from backend.texture.regions import Regions

Float = NDArray[np.float32]

# Logarithm by which hair is at least darker than the forehead around it, and certainly is.
HAIR = 0.13, 0.24
# The same, by which skin departs from a smooth light, to either side.
SHADE, SHINE = 0.07, 0.10
# Texels over which brightness is averaged, of specks that are let be, and that are given up
# around hair.
SOFT, SPECK, MARGIN = 1.2, 2, 2
# Texels of plain skin without which a forehead tells nothing.
ENOUGH = 300
# Confidence up to which a texel connects nothing, and texels over which it fades around the rest.
FAINT, SOFT_EDGE = 0.05, 5


def without_hair(difference: Float, evidence: Evidence, regions: Regions) -> Evidence:
    """Give up what is darker than a forehead's skin and hangs into it from above or a side.

    A mole, a wrinkle and a scar have skin all around them, and stay. What passes for skin beyond
    the hair is hair too.

    Parameters
    ----------
    difference
        (M, M, 3) logarithm of the photo over the mean face.
    evidence
        What of it is skin so far.
    """
    bare = evidence.plain * regions.forehead
    if bare.sum() < ENOUGH:
        return evidence
    brightness = np.asarray(difference.mean(axis=2), np.float32)
    darker = cv2.GaussianBlur(_smooth_light(brightness, bare) - brightness, (0, 0), SOFT)
    dark = smoothstep(*HAIR, np.asarray(darker, np.float32)) * (regions.forehead > 0)
    dark = np.asarray(cv2.morphologyEx(dark, cv2.MORPH_OPEN, disk(SPECK)), np.float32)
    hair = dark * _hanging(dark, evidence.confidence, regions.above_brows)
    kept = 1 - regions.forehead * (1 - skin.shrink_region(1 - hair, MARGIN))
    kept *= 1 - regions.above_brows * _cut_off(np.asarray(evidence.confidence * kept, np.float32))
    return evidence.reduced(np.asarray(kept, np.float32))


def _smooth_light(brightness: Float, weights: Float) -> Float:
    """Return (M, M) the quadratic surface on which most of the weighted texels lie."""
    size = len(brightness)
    y, x = np.indices(brightness.shape, np.float32) / np.float32(size / 4) - 2
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    chosen = weights > 0
    known, values, given = terms[chosen], brightness[chosen], weights[chosen]
    trust = given
    surface = np.zeros(terms.shape[-1])
    # Reweighted least squares: hair and gloss are far off, and do not count in the end.
    for _ in range(12):
        weighted = known.T * trust
        normal = weighted @ known + 1e-3 * trust.sum() * np.diag([0, 1, 1, 1, 1, 1])
        surface = np.linalg.solve(normal, weighted @ values)
        residual = values - known @ surface
        departure = residual / np.where(residual < 0, SHADE, SHINE)
        trust = given / (1 + departure**2) ** 2
    return np.asarray(terms @ surface, np.float32)


def _hanging(dark: Float, confidence: Float, above: Float) -> NDArray[np.bool_]:
    """Return (M, M) what is dark and reaches, over what is dark or no skin, the top of the head."""
    way = (dark > 0.3) | ((confidence < 0.5) & (above > 0.5))
    _, label = cv2.connectedComponents(way.astype(np.uint8), connectivity=4)
    # The first row of the chart is the top of the head, which no photo of a face shows.
    return np.asarray(label == label[0, len(dark) // 2])


def _cut_off(confidence: Float) -> NDArray[np.bool_]:
    """Return (M, M) what is trusted, but not connected with the face."""
    seen = confidence > FAINT
    _, label, extent, _ = cv2.connectedComponentsWithStats(seen.astype(np.uint8), connectivity=4)
    area = np.where(np.arange(len(extent)) > 0, extent[:, cv2.CC_STAT_AREA], 0)
    face = label == area.argmax()
    islands = cv2.dilate((seen & ~face).astype(np.uint8), disk(SOFT_EDGE)) > 0
    return np.asarray(islands & ~face, np.bool_)
