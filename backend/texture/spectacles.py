"""Frames of spectacles below the eyes and over the nose's bridge: long dark lines on plain skin."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import MorphableModel
from backend.texture import skin
from backend.texture.evidence import Evidence, Regions
from backend.texture.filters import disk, smoothstep

Float = NDArray[np.float32]

# Texels up to which a line is half as broad, and from which it is long across the face.
HALF_BREADTH, LONG = 6, 18
# Logarithm by which a line is darker than the skin on both sides of it: no fold of skin is.
LINE = 0.40
# Texels that are given up around a line.
MARGIN = 3


def below_eyes(model: MorphableModel) -> Float:
    """(V,) 1 from the eyes down to the tip of the nose, brows and eyes left out, else 0."""
    landmarks = model.mean[model.landmark_indices]
    eyes, tip = landmarks[36:48, 1].mean(), landmarks[30, 1]
    height = model.mean[:, 1]
    between = smoothstep(tip - 2, tip + 4, height) * (1 - smoothstep(eyes + 2, eyes + 6, height))
    front = smoothstep(0, 30, model.mean[:, 2])
    return between * front * (1 - skin.features(model))


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
    dark = (closed - brightness > LINE) & (regions.below_eyes > 0.5) & (evidence.believed > 0.3)
    _, label, extent, _ = cv2.connectedComponentsWithStats(dark.astype(np.uint8), connectivity=8)
    long = extent[:, cv2.CC_STAT_WIDTH] >= LONG
    frames = (dark & long[np.asarray(label, np.intp)]).astype(np.float32)
    if not frames.any():
        return evidence
    kept = 1 - cv2.GaussianBlur(cv2.dilate(frames, disk(MARGIN)), (0, 0), MARGIN / 2)
    return replace(evidence, believed=evidence.believed * kept, plain=evidence.plain * kept)
