"""The reverse direction: 3DMM parameters read back from 68 landmarks (SynergyNet, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backend.morphable_model.model import N_LANDMARKS
from backend.synergynet.parameter_heads import N_EXPRESSION, N_POSE, N_SHAPE, ParameterHeads
from backend.synergynet.point_mlp import PointLayer, faces_of, point_mlp, rows_of

HOLISTIC = 1024


class LandmarkTo3DMM(nn.Module):
    """(N, 3, 68) normalised landmarks -> (N, 62) whitened parameters.

    Parameters
    ----------
    attributes
        Numbers per face that are concatenated with the feature of the landmarks; 0 as in the
        paper's adopted design, more in its second comparison (Table 3).
    output_activation
        Put batch normalisation and ReLU behind the outputs, as the authors' published code does.
    """

    def __init__(self, attributes: int = 0, output_activation: bool = False) -> None:
        super().__init__()
        self.encoder = point_mlp(3, 64, 64, 64, 128, HOLISTIC)
        width = HOLISTIC + attributes
        self.heads = ActivatedHeads(width) if output_activation else ParameterHeads(width)

    def forward(self, points: Tensor, *attributes: Tensor) -> Tensor:
        """Return (N, 3, 68) points and any (N, ...) attributes -> (N, 62)."""
        holistic = faces_of(self.encoder(rows_of(points)), N_LANDMARKS).amax(dim=1)
        return self.heads(torch.cat([holistic, *attributes], dim=1))


class ActivatedHeads(nn.Module):
    """The authors' outputs: each head is an affine map with batch normalisation and ReLU."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.pose = PointLayer(features, N_POSE)
        self.shape = PointLayer(features, N_SHAPE)
        self.expression = PointLayer(features, N_EXPRESSION)

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([self.pose(z), self.shape(z), self.expression(z)], dim=1)
