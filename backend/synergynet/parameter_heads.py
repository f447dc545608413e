"""Fully connected heads that read the whitened 3DMM parameters from a feature vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

N_POSE, N_SHAPE, N_EXPRESSION = 12, 40, 10


class ParameterHeads(nn.Module):
    """(N, features) -> (N, 62) whitened parameters: pose 12, shape 40, expression 10."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.pose = nn.Linear(features, N_POSE)
        self.shape = nn.Linear(features, N_SHAPE)
        self.expression = nn.Linear(features, N_EXPRESSION)

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([self.pose(z), self.shape(z), self.expression(z)], dim=1)
