"""What a picture shows of a head's texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.chart import MASK_SIZE, Chart
from backend.texture.doubts import DOUBTS
from backend.texture.evidence import Evidence, weigh
from backend.texture.filters import resize
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
        (S, S, 3) float32 RGB in [0, 1], the colour at every texel, seen or not, in even light at
        the sides.
    confidence
        (S, S) float32, weight with which that colour is taken.
    evidence
        The same in less detail, and what else is known of the face.
    log_photo
        (M, M, 3) logarithm of the sampled colours.
    """

    picture: PosedPicture
    sampled: Float
    confidence: Float
    evidence: Evidence
    log_photo: Float


def observe(picture: PosedPicture, chart: Chart, covered: Float | None = None) -> Observation:
    """Unwrap a picture and weigh what it shows.

    Parameters
    ----------
    covered
        (M, M) how far something in front covers the face, which then tells nothing there.
    """
    sampled = unwrap(picture.image, picture.vertices_image, chart.uv_map)
    seen = visibility(picture.vertices_image, chart.model, picture.image.shape[:2])
    visible = resize(chart.uv_map.spread(seen[:, None])[..., 0], MASK_SIZE, MASK_SIZE)
    if covered is not None:
        visible = visible * (1 - covered)
    difference = skin.log_color(resize(sampled, MASK_SIZE, MASK_SIZE)) - chart.log_mean
    evidence = weigh(difference, visible, chart.regions)
    for doubt in DOUBTS:
        evidence = doubt(difference, evidence, chart.regions)
    sampled = skin.relit(sampled, evidence.added, out=sampled)
    log_photo = skin.log_color(resize(sampled, MASK_SIZE, MASK_SIZE))
    confidence = resize(evidence.confidence, chart.size, chart.size)
    return Observation(picture, sampled, confidence, evidence, log_photo)
