"""Skin in place of the painted eye: what the face's texture shows on the lids' edges."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.head.eye_patch import EyePatch
from backend.texture.uv_map import texel_position

Float = NDArray[np.floating]
Picture = NDArray[np.uint8]

# Shares of an eye's width in the texture: how far beyond the eye's edge skin is made, and how
# wide the border to the photo is; from how far outside colours are taken, and how far they are
# spread.
BEYOND, SOFT, CLEAR, SPREAD = 0.012, 0.012, 0.05, 0.09
# An eye that is painted beside its place: how far off, and from where the skin's colour is taken;
# how much less red than skin it is, as a share of skin's redness, and how dark at least; how far
# what is found is grown.
BESIDE, AROUND, PALER, DARK, GROWN = 0.17, (0.2, 0.4), 0.35, 0.22, 0.02


def with_lid_skin(texture: Picture, uv: Float, patches: Sequence[EyePatch]) -> Picture:
    """Paint the eyes of a face's texture over with the skin around them.

    Where eyeballs are shown, this part of the face is drawn only at the lids' edges, which stretch
    when the eyes close.

    Parameters
    ----------
    texture
        (S, S, 3) RGB, row 0 is v = 1.
    uv
        (V, 2) of the face.

    Returns
    -------
    (S, S, 3), a new picture.
    """
    made = texture.copy()
    for patch in patches:
        outline = texel_position(uv[patch.loop], len(texture))
        width = float(np.ptp(outline[:, 0]))
        low = np.floor(outline.min(axis=0) - 0.4 * width).astype(int)
        high = np.ceil(outline.max(axis=0) + 0.4 * width).astype(int)
        low, high = np.maximum(low, 0), np.minimum(high, len(texture))
        window = (slice(low[1], high[1]), slice(low[0], high[0]))
        made[window] = _painted_over(texture[window], outline - low, width)
    return made


def _painted_over(picture: Picture, outline: Float, width: float) -> Picture:
    inside = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.rint(outline).astype(np.int32)], 1)
    outwards = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    inwards = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    away = np.asarray(outwards - inwards, np.float32) / width
    colors = picture.astype(np.float32)
    stray = _of_an_eye(colors, away, width)
    share = np.clip((away - BEYOND + SOFT) / (2 * SOFT), 0, 1) * (1 - stray)
    skin = _spread(colors, (away > CLEAR) & (stray < 0.1), SPREAD * width)
    mixed = colors * share[..., None] + skin * (1 - share[..., None])
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)


def _of_an_eye(colors: Float, away: Float, width: float) -> NDArray[np.float32]:
    """How much of an eye's white or a light iris is beside its place, where a fit is a little off.

    Both are less red than skin. What is dark may be lashes, which stay.
    """
    luma = colors.mean(axis=-1)
    redness = colors[..., 0] / np.maximum(luma, 1)
    around = (away > AROUND[0]) & (away < AROUND[1])
    skin, light = np.median(redness[around]), np.median(luma[around])
    paler = np.clip((skin - redness) / (skin - 1 + 1e-3) / PALER - 1, 0, 1)
    lit = np.clip(luma / (DARK * light) - 1, 0, 1)
    beside = np.clip((BESIDE - away) / SOFT / 4, 0, 1)
    spot = cv2.GaussianBlur(paler * lit * beside, (0, 0), GROWN * width)
    return np.clip(spot * 3 - 0.3, 0, 1)


def _spread(picture: Float, known: NDArray[np.bool_], sigma: float) -> NDArray[np.float32]:
    """Colours where they are known, blurred into where they are not; wide where those are far."""
    weight = known.astype(np.float32)
    total, filled = np.zeros_like(picture), np.zeros_like(weight)
    for scale in (1.0, 2.0, 4.0):
        share = cv2.GaussianBlur(weight, (0, 0), scale * sigma)
        color = cv2.GaussianBlur(picture * weight[..., None], (0, 0), scale * sigma)
        trust = (1 - filled) * np.clip(share / 0.25, 0, 1)
        total += trust[..., None] * color / np.maximum(share, 1e-4)[..., None]
        filled += trust
    return np.asarray(total / np.maximum(filled, 1e-4)[..., None], np.float32)
