"""Other light on the same face: what the network must follow, not learn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from backend.texture.skin import BLACK

FIELD = 4


@dataclass(frozen=True)
class LightingSettings:
    """Standard deviations of the light's logarithm.

    Attributes
    ----------
    gain
        Of the light as a whole.
    cast
        Of each colour channel.
    field
        Of a smooth field over the texture; on a photo, which lies elsewhere, there is none.
    """

    gain: float = 0.0
    cast: float = 0.0
    field: float = 0.0


def random_light(
    count: int, size: int, settings: LightingSettings, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return factors for colours: (N, 3, 1, 1) the same everywhere, (N, 1, S, S) over the
    texture.
    """
    gain = torch.randn(count, 1, 1, 1, device=device) * settings.gain
    cast = torch.randn(count, 3, 1, 1, device=device) * settings.cast
    knots = torch.randn(count, 1, FIELD, FIELD, device=device) * settings.field
    field = F.interpolate(knots, (size, size), mode="bicubic", align_corners=True)
    return (gain + cast).exp(), field.exp()


def relight(picture: Tensor, light: Tensor) -> Tensor:
    """Return colours in [0, 1] under another light, as `backend.texture.skin.scale_color`;
    clipped.
    """
    black = float(BLACK)
    return ((picture + black) * light - black).clamp(0, 1)
