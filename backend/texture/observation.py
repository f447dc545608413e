"""What a picture shows of a head's texture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.chart import MASK_SIZE, Chart
from backend.texture.covers.finding import CoverFinder
from backend.texture.doubts import DOUBTS
from backend.texture.evidence import Evidence, mostly, weigh
from backend.texture.filters import resize
from backend.texture.photo_light import light_of
from backend.texture.unwrap import unwrap
from backend.texture.visibility import visibility

Float = NDArray[np.float32]


@dataclass(frozen=True)
class PosedPicture:
    """A picture of a head: a photo, or part of a film's frame.

    Attributes
    ----------
    image
        (H, W, 3) uint8 RGB.
    vertices_image
        (V, 3) float32 in the picture's frame.
    """

    image: NDArray[np.uint8]
    vertices_image: Float


@dataclass(frozen=True)
class Observation:
    """What one picture, or several, show of a texture.

    Attributes
    ----------
    picture
        The picture, the best of several.
    sampled
        (S, S, 3) float32 RGB, the colour at every texel, seen or not, in daylight and in even
        light at the sides.
    confidence
        (S, S) float32, weight with which that colour is taken.
    evidence
        The same in less detail, and what else is known of the face.
    log_photo
        (M, M, 3) logarithm of the sampled colours.
    light
        (3,) the colour of the picture's light; see `photo_light.light_of`.
    """

    picture: PosedPicture
    sampled: Float
    confidence: Float
    evidence: Evidence
    log_photo: Float
    light: Float


def observe(picture: PosedPicture, chart: Chart, finder: CoverFinder | None = None) -> Observation:
    """Unwrap a picture and weigh what it shows.

    Parameters
    ----------
    finder
        Tells what covers the face; without it nothing does.
    """
    sampled = unwrap(picture.image, picture.vertices_image, chart.uv_map)
    seen = visibility(picture.vertices_image, chart.model, picture.image.shape[:2])
    visible = resize(chart.uv_map.spread(seen[:, None])[..., 0], MASK_SIZE, MASK_SIZE)
    visible, trusted = _uncovered(sampled, visible, chart, finder)
    small = resize(sampled, MASK_SIZE, MASK_SIZE)
    light = light_of(small, chart.small_mean, visible, chart.regions)
    sampled /= light
    difference = skin.log_color(small / light) - chart.log_mean
    evidence = weigh(difference, visible, chart.regions)
    for doubt in DOUBTS:
        evidence = doubt(difference, evidence, chart.regions)
    evidence = replace(evidence, trusted=evidence.trusted or trusted)
    sampled = skin.relit(sampled, evidence.added, out=sampled)
    log_photo = skin.log_color(resize(sampled, MASK_SIZE, MASK_SIZE))
    confidence = resize(evidence.confidence, chart.size, chart.size)
    return Observation(picture, sampled, confidence, evidence, log_photo, light)


def _uncovered(
    sampled: Float, visible: Float, chart: Chart, finder: CoverFinder | None
) -> tuple[Float, bool]:
    """(M, M) what is seen of the face and not covered; whether a cover was too large to believe."""
    if finder is None:
        return visible, False
    covered = finder.find(sampled, visible)
    if mostly(covered, chart.regions.face_core * visible):
        return visible, True
    return visible * (1 - covered), False
