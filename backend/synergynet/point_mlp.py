"""Shared multi-layer perceptrons over points, as in PointNet."""

from __future__ import annotations

import itertools

from torch import Tensor, nn


class PointLayer(nn.Module):
    """The same affine map for every point, batch normalisation, ReLU: (N, in, P) -> (N, out, P)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_features, out_features, 1)
        self.bn = nn.BatchNorm1d(out_features)

    def forward(self, points: Tensor) -> Tensor:
        return nn.functional.relu(self.bn(self.conv(points)))


def point_mlp(*widths: int) -> nn.Sequential:
    """Chain of point layers: (N, widths[0], P) -> (N, widths[-1], P)."""
    pairs = itertools.pairwise(widths)
    return nn.Sequential(*(PointLayer(a, b) for a, b in pairs))
