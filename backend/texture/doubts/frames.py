"""Frames of spectacles below the eyes and over the nose's bridge: long dark lines on plain skin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.texture.evidence import Evidence
from backend.texture.filters import disk
from backend.texture.regions import Regions

Float = NDArray[np.float32]

# Texels up to which a line is half as broad, and from which it is long across the face.
HALF_BREADTH, LONG = 6, 18
# Logarithm by which a line is darker than the skin on both sides of it: no fold of skin is.
LINE = 0.40
# Texels that are given up around a line.
MARGIN = 3


def without_frames(difference: Float, evidence: Evidence, regions: Regions) -> Evidence:
    """Give up thick frames; thin ones, and what of them lies over eyes and brows, stay.

    Parameters
    ----------
    difference
        (M, M, 3) logarithm of the photo over the mean face.
    evidence
        What of it is skin so far.
    """
    brightness = np.asarray(difference.mean(axis=2), np.float32)
    closed = cv2.morphologyEx(brightness, cv2.MORPH_CLOSE, disk(HALF_BREADTH))
    dark = (closed - brightness > LINE) & (regions.below_eyes > 0.5) & (evidence.confidence > 0.3)
    _, label, extent, _ = cv2.connectedComponentsWithStats(dark.astype(np.uint8), connectivity=8)
    long = extent[:, cv2.CC_STAT_WIDTH] >= LONG
    frames = (dark & long[np.asarray(label, np.intp)]).astype(np.float32)
    if not frames.any():
        return evidence
    kept = 1 - cv2.GaussianBlur(cv2.dilate(frames, disk(MARGIN)), (0, 0), MARGIN / 2)
    return evidence.reduced(kept)
