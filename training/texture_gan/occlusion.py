"""Things before the face: what the network must take away, not paint on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# Knots of the noise whose hills are the shapes: a few wide ones, up to many narrow ones.
KNOTS = (3, 4, 6, 9, 14)
EDGE = 12.0


@dataclass(frozen=True)
class OcclusionSettings:
    """Which share of the views gets something before the face, and how much of it.

    Attributes
    ----------
    share
        Of the views.
    least, most
        Height, in standard deviations, above which the noise's hills cover the face: the lower,
        the more is covered.
    """

    share: float = 0.0
    least: float = 0.4
    most: float = 1.8


def occlude(filled: Tensor, confidence: Tensor, settings: OcclusionSettings) -> Tensor:
    """Lay blobs over what the views show, and over its mirror image.

    Parameters
    ----------
    filled
        (N, 3, S, S) in [0, 1].
    confidence
        (N, 1, S, S), where the view itself shows the face.

    Returns
    -------
    (N, 3, S, S). The chart is nearly symmetric, so that reversed columns are the mirror image.
    """
    count, size = len(filled), filled.shape[-1]
    knots = KNOTS[int(torch.randint(len(KNOTS), ()))]
    hills = F.interpolate(
        torch.randn(count, 1, knots, knots, device=filled.device), (size, size), mode="bicubic"
    )
    height = torch.empty(count, 1, 1, 1, device=filled.device)
    cover = torch.sigmoid(EDGE * (hills - height.uniform_(settings.least, settings.most)))
    chosen = (torch.rand(count, 1, 1, 1, device=filled.device) < settings.share).to(cover.dtype)
    cover = cover * chosen * confidence
    cover = torch.maximum(cover, cover.flip(-1) * (1 - confidence))
    return torch.lerp(filled, _stuff(filled), cover)


def _stuff(filled: Tensor) -> Tensor:
    """Return what lies before the faces: plain stuff with a weave, or other people's skin upside
    down.
    """
    count, _, height, width = filled.shape
    colour = torch.rand(count, 3, 1, 1, device=filled.device) ** 1.5
    saturation = torch.rand(count, 1, 1, 1, device=filled.device)
    colour = torch.lerp(colour.mean(dim=1, keepdim=True), colour, saturation)
    weave = F.interpolate(
        torch.randn(count, 1, 24, 24, device=filled.device), (height, width), mode="bilinear"
    )
    plain = (colour * (1 + 0.15 * weave)).clamp(0, 1)
    skin = filled.roll(1, 0).flip(-2)
    is_skin = (torch.rand(count, 1, 1, 1, device=filled.device) < 0.25).to(filled.dtype)
    return torch.lerp(plain, skin, is_skin)
