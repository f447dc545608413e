"""Fully connected heads that read the whitened 3DMM parameters from a feature vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

N_POSE, N_SHAPE, N_EXPRESSION = 12, 40, 10


class ParameterHeads(nn.Module):
    """(N, features) -> (N, 62) whitened parameters: pose 12, shape 40, expression 10.

    Parameters
    ----------
    features
        Length of the feature vector.
    hidden
        Width of a fully connected layer that all heads share; 0 for none, as in the paper.
    """

    def __init__(self, features: int, hidden: int = 0) -> None:
        super().__init__()
        self.hidden = nn.Sequential()
        if hidden:
            self.hidden.append(nn.Linear(features, hidden, bias=False))
            self.hidden.append(nn.BatchNorm1d(hidden))
            self.hidden.append(nn.ReLU(inplace=True))
        width = hidden or features
        self.pose = nn.Linear(width, N_POSE)
        self.shape = nn.Linear(width, N_SHAPE)
        self.expression = nn.Linear(width, N_EXPRESSION)

    def forward(self, z: Tensor) -> Tensor:
        z = self.hidden(z)
        return torch.cat([self.pose(z), self.shape(z), self.expression(z)], dim=1)
