"""The mean face in the photo's light and complexion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.texture import skin
from backend.texture.chart import Chart
from backend.texture.light import extend_light
from backend.texture.observation import Observation


def mean_face(seen: Observation, chart: Chart) -> NDArray[np.float32]:
    """Relight the mean face; returns (S, S, 3)."""
    evidence = seen.evidence
    difference = seen.log_photo - chart.log_mean
    light = extend_light(difference, evidence.plain, evidence.confidence, evidence.tone)
    return skin.relit(chart.mean_texture, light)
