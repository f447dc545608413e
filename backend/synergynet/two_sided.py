"""The network asked of a face and of its mirror image: what photos are reconstructed with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.engines.engine import Engine, NetworkOutput
from backend.morphable_model.mirror_image import MirrorImage, mirrored_landmarks
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters

Float = NDArray[np.float32]


class TwoSidedEngine:
    """Averages what an engine says of crops and of their mirror images.

    The two answers err differently, so their mean errs less. It costs a second run of the network,
    a small part of the time that a photo takes.

    Parameters
    ----------
    engine
        Runs the network.
    model
        The morphable model; it knows the mirror image of coefficients.
    """

    def __init__(self, engine: Engine, model: MorphableModel) -> None:
        self._engine = engine
        self._model, self._mirror = model, MirrorImage.of(model)

    @property
    def device(self) -> str:
        """Where: ``cpu``, ``cuda`` or ``mps``."""
        return self._engine.device

    def run(self, crops: NDArray[np.uint8]) -> NetworkOutput:
        """(N, 120, 120, 3) uint8 RGB crops -> `NetworkOutput`."""
        count = len(crops)
        both = self._engine.run(np.concatenate([crops, crops[:, :, ::-1]]))
        mirrored = FaceParameters(both.parameters[count:]).mirrored(self._mirror)
        mean = np.asarray((both.parameters[:count] + mirrored.numbers) / 2, np.float32)
        faces = FaceParameters(mean)
        # A mirrored head is not in the model; what comes nearest stands 0.1 pixels beside it.
        # Landmarks have an exact mirror image: so theirs is the mean, and the mesh is moved there.
        shift = (_mean_of_sides(both.coarse) - faces.landmarks(self._model)).mean(axis=1)
        faces.matrix[..., :2, 3] += shift[:, :2]
        coarse = faces.landmarks(self._model).astype(np.float32)
        return NetworkOutput(mean, coarse, _mean_of_sides(both.refined))


def _mean_of_sides(landmarks: Float) -> Float:
    """(N, 68, 3) means of (2N, 68, 3): N faces, then their mirror images."""
    here, there = np.split(landmarks, 2)
    return ((here + mirrored_landmarks(there)) / 2).astype(np.float32)
