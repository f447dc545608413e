"""A shadow over one side of a face, with an edge that no lamp in front makes.

Its skin is as dark as hair in the light, so both sides are looked at in the same light.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.filters import smoothstep
from backend.texture.regions import Regions

Float = NDArray[np.float32]
Floating = NDArray[np.floating]

# Logarithm by which the sides of a face differ in the light of one lamp in front.
ONE_LAMP = np.float32(0.3)
# Share of that which is no smooth slope of light across the face, from which it may be, and from
# which it is a shadow's edge.
EDGE = 0.4, 0.7
# Texels of cheek without which a side tells nothing, and share of the chart's width over which one
# side goes over into the other.
ENOUGH, MIDDLE = 40, 0.03


def shade_of(difference: Float, visible: Float, regions: Regions) -> Float:
    """Find how much darker one side of a face is.

    Parameters
    ----------
    difference
        (M, M, 3) logarithm of the photo over the mean face.
    visible
        (M, M) weight with which the camera sees the surface.

    Returns
    -------
    (M, M, 3) logarithm of the shade: 0 in the light and on faces without such a shadow.
    """
    cheeks = visible * regions.cheeks
    size = len(difference)
    halves = np.arange(size) < size / 2, np.arange(size) >= size / 2
    chosen = [(cheeks > 0.5) & half for half in halves]
    if min(where.sum() for where in chosen) < ENOUGH:
        return np.zeros_like(difference)
    tones = [skin.weighted_median(difference[where], cheeks[where]) for where in chosen]
    dark = int(tones[1].mean() < tones[0].mean())
    shade = tones[dark] - tones[1 - dark]
    depth = -shade.mean()
    if depth <= ONE_LAMP:
        return np.zeros_like(difference)
    # The shadow's edge is where brightness is between that of the sides, within the dark one.
    across = (np.arange(size, dtype=np.float32) / size - 0.5) * (2 * dark - 1)
    side = smoothstep(-MIDDLE, MIDDLE, across)[None, :]
    lower, upper = tones[dark].mean(), tones[1 - dark].mean()
    inside = 1 - smoothstep(lower + 0.35 * depth, upper - 0.15 * depth, difference.mean(axis=2))
    edge = _step(difference.mean(axis=2), cheeks, across) / depth
    share = np.minimum((depth - ONE_LAMP) / ONE_LAMP, 1) * smoothstep(*EDGE, np.array(edge))
    return np.asarray((share * side * inside)[..., None] * shade, np.float32)


def _step(brightness: Float, weights: Float, across: Floating) -> float:
    """By how much brightness falls at the middle of a face, besides a slope across it."""
    where = weights > 0
    x = np.broadcast_to(across, brightness.shape)[where]
    root = np.sqrt(weights[where])
    terms = np.stack([np.ones_like(x), x, (x > 0).astype(np.float32)], axis=1) * root[:, None]
    return -float(np.linalg.lstsq(terms, brightness[where] * root)[0][2])
