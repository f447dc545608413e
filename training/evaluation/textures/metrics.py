"""How near a made texture comes to the true one, over some of its texels.

Pictures are (H, W, 3) RGB in [0, 1], masks (H, W) bool. A mean over no texels is NaN.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import MorphableModel
from backend.texture import regions
from backend.texture.filters import smoothstep
from backend.texture.uv_map import UvMap

Float = NDArray[np.float32]
Floating = NDArray[np.floating]
Mask = NDArray[np.bool_]

# Rec. 601, the weights of red, green and blue in brightness.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# Millimetres of the mean face above the brows and to either side: skin on nearly everyone.
FOREHEAD_FROM, FOREHEAD_TO, FOREHEAD_HALF_WIDTH = 12.0, 34.0, 42.0


def psnr(made: Floating, truth: Floating, mask: Mask) -> float:
    """Peak signal-to-noise ratio in dB."""
    if not mask.any():
        return float("nan")
    squared = np.square(made[mask].astype(np.float64) - truth[mask]).mean()
    return float(-10 * np.log10(max(squared, 1e-10)))


def ssim(made: Floating, truth: Floating, mask: Mask) -> float:
    """Mean structural similarity of the brightness (Wang et al. 2004, windows of 7 x 7).

    Outside of the mask both pictures show the truth, so nothing there counts.
    """
    from skimage.metrics import structural_similarity

    if not mask.any():
        return float("nan")
    rows, columns = _around(mask)
    inside = mask[rows, columns]
    true = truth[rows, columns] @ LUMA
    found = np.where(inside, made[rows, columns] @ LUMA, true)
    compared = structural_similarity(true, found, data_range=1.0, full=True)
    return float(np.asarray(compared[1])[inside].mean())


def sharpness(made: Floating, truth: Floating, mask: Mask) -> float:
    """Energy of the Laplacian of the brightness, as a share of the truth's.

    1 is as much fine detail as the photo has, less is blurred, more is noise. Texels whose
    neighbours are outside of the mask don't count.
    """
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    if not inner.any():
        return float("nan")
    energy = [np.square(cv2.Laplacian(p @ LUMA, cv2.CV_32F)[inner]).sum() for p in (made, truth)]
    return float(energy[0] / max(energy[1], 1e-12))


def color_difference(made: Floating, truth: Floating, mask: Mask) -> float:
    """Mean CIEDE2000 difference of sRGB colours; 1 is about what an eye can just see."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    if not mask.any():
        return float("nan")
    lab = [rgb2lab(np.clip(picture[mask], 0, 1)) for picture in (truth, made)]
    return float(deltaE_ciede2000(*lab).mean())


def skin_region(model: MorphableModel, uv_map: UvMap) -> Mask:
    """(S, S) texels of the cheeks, the bridge of the nose and the forehead."""
    weights = np.maximum(regions.cheeks(model), _forehead(model))
    return uv_map.spread(weights[:, None])[..., 0] > 0.5


def feature_region(model: MorphableModel, uv_map: UvMap) -> Mask:
    """(S, S) texels of brows, eyes, nostrils and lips."""
    return uv_map.spread(regions.features(model)[:, None])[..., 0] > 0.5


def _forehead(model: MorphableModel) -> Float:
    """(V,) 1 on the forehead."""
    brow = model.landmark_mean[17:27, 1].max()
    x, above = model.mean[:, 0], model.mean[:, 1] - brow
    inside = (above > FOREHEAD_FROM) & (above < FOREHEAD_TO) & (np.abs(x) < FOREHEAD_HALF_WIDTH)
    return inside * smoothstep(30, 60, model.mean[:, 2])


def _around(mask: Mask, margin: int = 7) -> tuple[slice, slice]:
    """The smallest window that holds a mask and some texels more, as rows and columns."""
    spans = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    rows, columns = (slice(max(0, s[0] - margin), s[-1] + margin + 1) for s in spans)
    return rows, columns
