"""The eye's texture: white, iris and pupil; the iris as a photo shows it, or a plain one.

The texture is round, its middle the middle of the pupil, see `backend.head.eyes.texture_radius`.
The iris is looked for in the face's own texture, on the piece of surface that the face has in place
of the eye: the dark disc on light ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from backend.geometry.rasterizer import interpolate, rasterize
from backend.head.eye_patch import EyePatch
from backend.head.eyes import IRIS_SHARE, LIMBUS, RADIUS
from backend.morphable_model.model import MorphableModel
from backend.texture.filters import sample
from backend.texture.uv_map import texel_position

Float = NDArray[np.floating]
Picture = NDArray[np.uint8]

SIZE = 256
PUPIL = 1.9
# sRGB in [0, 1].
WHITE, CORNERS = np.array([0.90, 0.87, 0.84]), np.array([0.80, 0.66, 0.62])
PLAIN_IRIS, RIM = np.array([0.36, 0.25, 0.16]), np.array([0.10, 0.08, 0.07])

# The frontal picture of an eye: pixels per millimetre, half its width and height in millimetres.
RESOLUTION, HALF_WIDTH, HALF_HEIGHT = 4, 17.0, 8.0
# Where the iris may be, from the middle of the eye, in millimetres; and its ground around it.
ASIDE, ABOVE, GROUND = 6.0, 2.5, 8.5
# Lids and lashes darken so much of the opening at its edge.
SHADED = 1.2
# Luma in [0, 1] by which the iris is darker than its ground, at least.
CONTRAST = 0.06
# What is less of the disc is no iris to take colours from.
SEEN = 0.3
# The iris is brought to the light in which the white is white, within limits.
GAINS = (0.7, 1.8)
# However dark a photo is, eyes and teeth are not made darker than this.
DIMMEST = 0.5
# An iris' pattern is what differs from its neighbourhood, in samples, and no more than this share.
NEAR, VARIES = 7.0, 0.35
# Polar picture of an iris: radii from the pupil's edge to the limbus, and directions.
RADII, TURNS = 48, 256


@dataclass(frozen=True)
class Iris:
    """An iris as a photo shows it.

    Attributes
    ----------
    polar
        (RADII, TURNS, 3) in [0, 1], from the pupil's edge outwards and anticlockwise from the
        person's left, in white light.
    light
        How bright the photo shows the white of the eye, of what it is in full light.
    """

    polar: Float
    light: float


def eye_texture(iris: Iris | None = None, size: int = SIZE) -> Picture:
    """Paint an eye.

    Parameters
    ----------
    iris
        As `find_iris` gives it; None paints a plain brown one in full light.

    Returns
    -------
    (size, size, 3) RGB, row 0 is v = 1.
    """
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(axis, -axis)
    radius, turn = np.hypot(x, y), np.arctan2(y, x) % (2 * np.pi)
    polar, light = (plain_iris(), 1.0) if iris is None else (iris.polar, iris.light)
    pupil = np.arcsin(PUPIL / RADIUS) / np.arcsin(LIMBUS / RADIUS)
    share = radius / IRIS_SHARE
    rows = np.clip((share - pupil) / (1 - pupil), 0, 1) * (RADII - 1)
    columns = turn / (2 * np.pi) * TURNS
    wrapped = np.concatenate([polar, polar[:, :1]], axis=1).astype(np.float32)
    color = sample(wrapped, np.stack([columns, rows], axis=-1).astype(np.float32))
    ring = _step(share, 0.80, 1.0)[..., None] * 0.75
    color = color * (1 - ring) + RIM * ring
    color = color * _step(share, pupil - 0.05, pupil + 0.03)[..., None]
    white = WHITE + (CORNERS - WHITE) * _step(radius, 0.6, 0.85)[..., None] + _veins(x, y, radius)
    outside = _step(share, 0.95, 1.06)[..., None]
    mixed = light * (color * (1 - outside) + white * outside)
    return np.rint(np.clip(mixed, 0, 1) * 255).astype(np.uint8)


def plain_iris(color: Float = PLAIN_IRIS) -> NDArray[np.float64]:
    """Return a polar picture of an iris of one colour, with fibres as irises have them."""
    return np.clip(color * fibres()[..., None], 0, 1)


def fibres() -> NDArray[np.float64]:
    """(RADII, TURNS) how bright an iris is at each place, about 1: fibres and a brighter collar."""
    rng = np.random.default_rng(7)
    noise = np.tile(rng.standard_normal((RADII, TURNS)), (1, 3))
    streaks = cv2.GaussianBlur(noise, (0, 0), 1.3, sigmaY=9.0)[:, TURNS : 2 * TURNS]
    share = np.linspace(0, 1, RADII)[:, None]
    collar = 0.25 * np.exp(-(((share - 0.3) / 0.18) ** 2))
    return 0.95 + collar + 0.2 * streaks / streaks.std() * (0.5 + 0.5 * share)


def find_iris(
    texture: Picture, model: MorphableModel, neutral: Float, patch: EyePatch
) -> Iris | None:
    """Look for an iris in the texture of a face.

    Parameters
    ----------
    texture
        (S, S, 3) RGB of the face, row 0 is v = 1.
    neutral
        (V, 3) of the face.

    Returns
    -------
    None where no iris is seen.
    """
    picture, open_ = _frontal(texture, model, neutral, patch)
    place = _darkest_disc(picture, open_)
    if place is None:
        return None
    row, column, ground = place
    # A photo's light may be coloured, and lids shade the whole eye.
    gain = np.clip(WHITE / np.maximum(ground, 1e-3), *GAINS)
    polar, seen = _unrolled(picture * gain, open_, row, column)
    if seen.mean() < SEEN:
        return None
    light = float(np.clip(ground.mean() / WHITE.mean(), DIMMEST, 1))
    return Iris(_completed(polar, seen), light)


def _frontal(
    texture: Picture, model: MorphableModel, neutral: Float, patch: EyePatch
) -> tuple[Float, Float]:
    """Return the eye from the front, in [0, 1], and where it is not shaded by lids."""
    middle = neutral[patch.loop, :2].mean(axis=0)
    corner = middle[0] - HALF_WIDTH, middle[1] + HALF_HEIGHT
    place = (neutral - (*corner, 0)) * (RESOLUTION, -RESOLUTION, RESOLUTION)
    triangles = model.triangles[patch.triangles]
    shape = int(2 * HALF_HEIGHT * RESOLUTION), int(2 * HALF_WIDTH * RESOLUTION)
    fragments = rasterize(place.astype(np.float32), triangles, *shape)
    at = interpolate(fragments, triangles, texel_position(model.uv, len(texture)))
    picture = sample(texture, at) / 255
    depth = cv2.distanceTransform(fragments.covered.astype(np.uint8), cv2.DIST_L2, 3)
    return picture, (depth > SHADED * RESOLUTION).astype(np.float32)


def _darkest_disc(picture: Float, clear: Float) -> tuple[float, float, Float] | None:
    """Row and column of the iris, and the colour of the white; None without enough contrast."""
    luma = picture.mean(axis=-1)
    reach = int(GROUND * RESOLUTION)
    axis = np.arange(-reach, reach + 1) / RESOLUTION
    away = np.hypot(*np.meshgrid(axis, axis))
    disc, ring = (away < LIMBUS), (away > LIMBUS + 0.4) & (away < GROUND)
    sums = [_sums(luma * clear, mask) / np.maximum(_sums(clear, mask), 1) for mask in (disc, ring)]
    enough = (_sums(clear, disc) > SEEN * disc.sum()) & (_sums(clear, ring) > 0.05 * ring.sum())
    rows, columns = np.indices(luma.shape)
    low, right = rows - luma.shape[0] / 2, columns - luma.shape[1] / 2
    near = (np.abs(low) < ABOVE * RESOLUTION) & (np.abs(right) < ASIDE * RESOLUTION)
    contrast = np.where(enough & near, sums[1] - sums[0], -1.0)
    best = np.unravel_index(int(contrast.argmax()), contrast.shape)
    if contrast[best] < CONTRAST:
        return None
    r, c = int(best[0]), int(best[1])
    around = (np.hypot(rows - r, columns - c) > (LIMBUS + 0.4) * RESOLUTION) & (clear > 0)
    return float(r), float(c), np.quantile(picture[around], 0.7, axis=0)


def _sums(values: Float, mask: NDArray[np.bool_]) -> NDArray[np.floating]:
    return fftconvolve(values, mask.astype(np.float64), mode="same")


def _unrolled(
    picture: Float, clear: Float, row: float, column: float
) -> tuple[Float, NDArray[np.bool_]]:
    """Polar picture of the iris, and (RADII, TURNS) where lids and highlights leave it seen."""
    radius = np.linspace(PUPIL * 1.15, LIMBUS * 0.93, RADII)[:, None] * RESOLUTION
    turn = 2 * np.pi * np.arange(TURNS) / TURNS
    at = np.stack([column + radius * np.cos(turn), row - radius * np.sin(turn)], axis=-1)
    at = at.astype(np.float32)
    polar, seen = sample(picture.astype(np.float32), at), sample(clear, at) > 0.99
    luma = polar.mean(axis=-1)
    if seen.any():
        # The lamp's reflection is far brighter than an iris.
        seen &= luma < 1.8 * np.median(luma[seen])
    return polar, seen


def _completed(polar: Float, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return an iris of the colour that is seen, with what is seen of its pattern, else with
    fibres.

    The pattern is one of light and dark only: what lids and lamps colour is no iris.
    """
    color = np.median(polar[seen], axis=0)
    # Irises are brown, green, grey and blue, never pink.
    color[1] = max(color[1], min(color[0], color[2]))
    weight = seen.astype(np.float64)
    light = polar.mean(axis=-1) / max(color.mean(), 1e-3)
    near = [cv2.GaussianBlur(part, (0, 0), NEAR) for part in (light * weight, weight)]
    pattern = np.clip(light - near[0] / np.maximum(near[1], 1e-3), -VARIES, VARIES)
    trust = cv2.erode(weight, np.ones((5, 9)))
    trust = cv2.GaussianBlur(trust, (0, 0), 3.0)
    made = fibres()
    detail = (1 + pattern + 0.4 * (made - 1)) * trust + made * (1 - trust)
    return np.clip(color * detail[..., None], 0, 1)


def _veins(x: Float, y: Float, radius: Float) -> NDArray[np.float64]:
    """Return a faint red net that grows towards the corners."""
    rng = np.random.default_rng(3)
    noise = cv2.GaussianBlur(rng.standard_normal(x.shape), (0, 0), 2.0)
    lines = np.exp(-((noise / noise.std() / 0.18) ** 2)) * _step(radius, 0.58, 0.8)
    return lines[..., None] * np.array([-0.03, -0.10, -0.10])


def _step(value: Float, low: float, high: float) -> NDArray[np.float64]:
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)
