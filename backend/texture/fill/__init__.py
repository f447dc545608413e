"""The ways to fill a texture; a new one is a mode of the contract, a file here and a row below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.exchange.contract import TextureMode
from backend.texture.chart import Chart
from backend.texture.face_network import FaceNetwork
from backend.texture.fill.mean import mean_face
from backend.texture.fill.mirror import mirrored
from backend.texture.fill.network import completed, network_face
from backend.texture.observation import Observation


@dataclass(frozen=True)
class Fill:
    """A way to make a whole texture of what is seen.

    Attributes
    ----------
    make
        Returns (S, S, 3) float32 RGB.
    by_network
        Whether the texture network is needed. It also tells what covers the face.
    """

    make: Callable[[Observation, Chart, FaceNetwork], NDArray[np.float32]]
    by_network: bool = False


FILLS: Mapping[TextureMode, Fill] = {
    TextureMode.PHOTO_NETWORK: Fill(completed, by_network=True),
    TextureMode.NETWORK: Fill(network_face, by_network=True),
    TextureMode.PHOTO: Fill(lambda seen, chart, _: mirrored(seen, chart)),
    TextureMode.MEAN: Fill(lambda seen, chart, _: mean_face(seen, chart)),
}
