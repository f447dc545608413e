"""The network asked of a face and of its mirror image: what photos are reconstructed with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.engines.engine import Engine, NetworkOutput
from backend.geometry.camera import CROP_SIZE
from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
from backend.morphable_model.mirror_image import MIRROR, MIRRORED_LANDMARKS, mirror_coefficients
from backend.morphable_model.model import N_POSE, MorphableModel

Float = NDArray[np.float32]

# A crop whose columns are reversed shows at x what it showed at this less x (1-based pixels).
REVERSED = CROP_SIZE + 1
# Where x, y and z of the translation stand among the parameters.
TRANSLATION = [3, 7, 11]


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
        mean, spread = model.parameter_mean[N_POSE:], model.parameter_std[N_POSE:]
        self._matrix, self._offset = mirror_coefficients(model, mean, spread)
        self._landmark_mean, self._landmark_basis = model.landmark_mean, model.landmark_basis

    @property
    def device(self) -> str:
        """Where: ``cpu``, ``cuda`` or ``mps``."""
        return self._engine.device

    def run(self, crops: NDArray[np.uint8]) -> NetworkOutput:
        """(N, 120, 120, 3) uint8 RGB crops -> `NetworkOutput`."""
        count = len(crops)
        both = self._engine.run(np.concatenate([crops, crops[:, :, ::-1]]))
        mirrored = self._mirror_parameters(both.parameters[count:])
        parameters = np.asarray((both.parameters[:count] + mirrored) / 2, np.float32)
        # A mirrored head is not in the model; what comes nearest stands 0.1 pixels beside it.
        # Landmarks have an exact mirror image: so theirs is the mean, and the mesh is moved there.
        shift = (_mean_of_sides(both.coarse) - self._coarse(parameters)).mean(axis=1)
        parameters[:, TRANSLATION[:2]] += shift[:, :2]
        return NetworkOutput(parameters, self._coarse(parameters), _mean_of_sides(both.refined))

    def _mirror_parameters(self, parameters: Float) -> Float:
        """(N, 62) of the mirror images."""
        matrix = parameters[:, :N_POSE].reshape(-1, 3, 4)
        rotation = MIRROR[:, None] * matrix[:, :, :3] * MIRROR
        translation = MIRROR * matrix[:, :, 3] + np.array([REVERSED, 0, 0])
        pose = np.concatenate([rotation, translation[..., None]], axis=2).reshape(-1, N_POSE)
        alpha = parameters[:, N_POSE:] @ self._matrix.T + self._offset
        return np.concatenate([pose, alpha], axis=1).astype(np.float32)

    def _coarse(self, parameters: Float) -> Float:
        """(N, 68, 3) landmarks of the mesh."""
        matrix = parameters[:, :N_POSE].reshape(-1, 3, 4)
        alpha = parameters[:, N_POSE:]
        shape = self._landmark_mean + np.moveaxis(self._landmark_basis @ alpha.T, -1, 0)
        scaled = matrix[:, :, :3] * np.float32(MICROMETRES_PER_MILLIMETRE)
        return (shape @ scaled.transpose(0, 2, 1) + matrix[:, None, :, 3]).astype(np.float32)


def _mean_of_sides(landmarks: Float) -> Float:
    """(N, 68, 3) means of (2N, 68, 3): N faces, then their mirror images."""
    here, there = np.split(landmarks, 2)
    mirrored = there[:, MIRRORED_LANDMARKS] * MIRROR + np.array([REVERSED, 0, 0])
    return ((here + mirrored) / 2).astype(np.float32)
