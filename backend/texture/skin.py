"""What of a photo is the person's skin, and what is hair, cloth or background in front of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.texture.filters import disk, resize, smoothstep

Float = NDArray[np.float32]

# Added to colours before their logarithm is taken, so that black stays finite and noise in dark
# places small.
BLACK = np.float32(0.03)
# Tolerated departure from the expected skin, in logarithms: darker, brighter, red over green,
# green over blue. Shadow darkens skin; little else than another material changes its hue.
DARKER, BRIGHTER, RED_GREEN, GREEN_BLUE = 0.42, 0.35, 0.13, 0.20
# Departure (in tolerances) up to which a texel is skin, and from which it is not.
SKIN, NOT_SKIN = 1.2, 2.2
# Departure of the hue alone from which even a face's core is doubted, and given up.
IMPOSSIBLE_HUE = 3.5, 5.0


def log_color(color: Float) -> Float:
    """Return the logarithm of RGB, in which light is additive."""
    return np.log(np.maximum(color, 0) + BLACK)


def color_from_log(log: Float) -> Float:
    """Return the inverse of `log_color`."""
    return np.exp(log) - BLACK


def scale_color(color: Float, light: Float, out: Float | None = None) -> Float:
    """Return colours under another light: adds its logarithm to `log_color`; `out` may be
    `color`.
    """
    scaled = np.add(color, BLACK, out=out)
    scaled *= light
    scaled -= BLACK
    return scaled


def relit(picture: Float, log_light: Float, out: Float | None = None) -> Float:
    """Put a square picture under a light that is given in less detail; `out` may be `picture`."""
    return scale_color(picture, resize(np.exp(log_light), len(picture), len(picture)), out)


def skin_likelihood(log_photo: Float, log_expected: Float, limit: float = NOT_SKIN) -> Float:
    """Tell how well a photo's colours fit the skin that is expected there.

    Parameters
    ----------
    log_photo, log_expected
        (..., 3) logarithms of RGB.
    limit
        Departure, in tolerances, of what is certainly not skin.

    Returns
    -------
    (...) float32, 1 is skin, 0 is not.
    """
    light = (log_photo - log_expected)[..., 1]
    light = np.where(light < 0, light / DARKER, light / BRIGHTER)
    departure = np.hypot(light, _hue_departure(log_photo, log_expected))
    return 1 - smoothstep(SKIN, limit, departure)


def possible_hue(log_photo: Float, log_expected: Float) -> Float:
    """Return (...) 0 where the hue is none that skin, hair or make-up has; arguments as above."""
    return 1 - smoothstep(*IMPOSSIBLE_HUE, _hue_departure(log_photo, log_expected))


def _hue_departure(log_photo: Float, log_expected: Float) -> Float:
    red, green, blue = np.moveaxis(log_photo - log_expected, -1, 0)
    return np.hypot((red - green) / RED_GREEN, (green - blue) / GREEN_BLUE)


def weighted_median(values: Float, weights: Float) -> Float:
    """Return (C,) medians of (N, C) values."""
    order = np.argsort(values, axis=0)
    total = np.cumsum(weights[order], axis=0)
    middle = (total < total[-1] / 2).sum(axis=0)
    return np.take_along_axis(values, order, axis=0)[middle, np.arange(values.shape[1])]


def shrink_region(likelihood: Float, radius: int) -> Float:
    """Take a margin away around whatever is not skin: its edge is mixed colour."""
    eroded = cv2.erode(np.ascontiguousarray(likelihood), disk(radius))
    return np.asarray(cv2.GaussianBlur(eroded, (0, 0), 0.8 * radius), np.float32)
