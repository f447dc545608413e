"""From whitened parameters to the 68 landmarks of the morphable model, differentiably."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
from backend.morphable_model.boxes import CROP_SIZE
from backend.morphable_model.model import N_LANDMARKS, N_PARAMETERS, N_POSE, MorphableModel
from backend.morphable_model.parameters import split


class LandmarkDecoder(nn.Module):
    """Whitening, and the landmark rows of the morphable model.

    The whitening belongs to the weights and is saved with them. The rows of the Basel Face Model
    do not: they are non-persistent buffers, filled from the user's own copy by `attach`.
    """

    parameter_mean: Tensor
    parameter_std: Tensor
    landmark_mean: Tensor
    landmark_basis: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("parameter_mean", torch.zeros(N_PARAMETERS))
        self.register_buffer("parameter_std", torch.ones(N_PARAMETERS))
        n = N_LANDMARKS * 3
        self.register_buffer("landmark_mean", torch.zeros(n), persistent=False)
        self.register_buffer(
            "landmark_basis", torch.zeros(n, N_PARAMETERS - N_POSE), persistent=False
        )

    def attach(self, model: MorphableModel) -> None:
        """Fill the landmark rows from a morphable model."""
        scale = MICROMETRES_PER_MILLIMETRE
        self.landmark_mean.copy_(torch.from_numpy(scale * model.landmark_mean.reshape(-1)))
        basis = model.landmark_basis.reshape(self.landmark_basis.shape)
        self.landmark_basis.copy_(torch.from_numpy(np.asarray(scale * basis)))

    def parameters_from(self, whitened: Tensor) -> Tensor:
        """(N, 62) whitened -> (N, 62) in the units of the data files, in single precision."""
        return whitened.float() * self.parameter_std + self.parameter_mean

    def whiten(self, parameters: Tensor) -> Tensor:
        """Inverse of `parameters_from`."""
        return (parameters - self.parameter_mean) / self.parameter_std

    def forward(self, parameters: Tensor) -> Tensor:
        """(N, 62) parameters -> (N, 3, 68) landmarks in the crop frame (pixels, y up)."""
        # Half a pixel of 120 is what bfloat16 can tell apart, so never under autocast.
        with torch.autocast(parameters.device.type, enabled=False):
            matrix, alpha = split(parameters)
            vertices = alpha @ self.landmark_basis.T + self.landmark_mean
            vertices = vertices.reshape(-1, N_LANDMARKS, 3).transpose(1, 2)
            return matrix[:, :, :3] @ vertices + matrix[:, :, 3:]


def normalise_landmarks(landmarks: Tensor) -> Tensor:
    """Crop pixels to what the point networks take: divided by 120, centred on the crop.

    Depth is centred on the landmarks' own mean, because its origin is arbitrary in a
    weak-perspective camera. (N, 3, 68) -> (N, 3, 68).
    """
    plane = landmarks[:, :2] / CROP_SIZE - 0.5
    depth = landmarks[:, 2:] / CROP_SIZE
    return torch.cat([plane, depth - depth.mean(dim=2, keepdim=True)], dim=1)


def official_landmarks(landmarks: Tensor) -> Tensor:
    """What the authors' code hands to its point networks: pixels, y turned to 121 - y."""
    x, y, z = landmarks.unbind(dim=1)
    return torch.stack([x, CROP_SIZE + 1 - y, z], dim=1)
