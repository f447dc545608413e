"""The photo, filled from its mirror image and the mean face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.blend import mix
from backend.texture.chart import MASK_SIZE, Chart
from backend.texture.fill.mean import mean_face
from backend.texture.filters import resize
from backend.texture.light import extend_light
from backend.texture.observation import Observation

Float = NDArray[np.float32]


def mirrored(seen: Observation, chart: Chart) -> Float:
    """Show the photo where it can be trusted.

    Returns
    -------
    (S, S, 3): elsewhere its mirror image, and under that the mean face in the photo's light.
    """
    other, weights = _other_half(seen, chart)
    lit = mean_face(seen, chart)
    unseen = mix(lit, other, weights, out=other)
    return mix(unseen, seen.sampled, seen.confidence, out=lit)


def _other_half(seen: Observation, chart: Chart) -> tuple[Float, Float]:
    """Return (S, S, 3) the photo mirrored, in this half's light; (S, S) its weight."""
    other, weights = (chart.uv_map.mirror(p) for p in (seen.sampled, seen.confidence))
    # Only plain skin tells this half's light: what else differs may be hair or background.
    both = seen.evidence.plain * resize(weights, MASK_SIZE, MASK_SIZE)
    difference = seen.log_photo - skin.log_color(resize(other, MASK_SIZE, MASK_SIZE))
    light = extend_light(difference, both, both, np.zeros(3, np.float32))
    return skin.relit(other, light, out=other), weights
