"""Shared multi-layer perceptrons over points, as in PointNet.

Points are rows here: (N points of all faces, features). The layers are then matrix products, which
train a fifth faster on a CPU than the convolutions over (faces, features, points) that they equal.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn


class PointLayer(nn.Module):
    """The same affine map for every point, batch normalisation, ReLU: (N, in) -> (N, out)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.conv = PointMap(in_features, out_features)
        self.bn = nn.BatchNorm1d(out_features)

    def forward(self, points: Tensor) -> Tensor:
        return nn.functional.relu(self.bn(self.conv(points)), inplace=True)


class PointMap(nn.Conv1d):
    """The same affine map for every point: (N, in) -> (N, out).

    Its parameters are those of a convolution of width 1, as in the published weights.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, 1)

    def forward(self, input: Tensor) -> Tensor:
        return nn.functional.linear(input, self.weight[:, :, 0], self.bias)


def point_mlp(*widths: int) -> nn.Sequential:
    """Chain of point layers: (N, widths[0]) -> (N, widths[-1])."""
    pairs = itertools.pairwise(widths)
    return nn.Sequential(*(PointLayer(a, b) for a, b in pairs))


def rows_of(points: Tensor) -> Tensor:
    """Return (N, C, P) features of P points of N faces -> (N * P, C)."""
    return points.transpose(1, 2).flatten(0, 1)


def faces_of(rows: Tensor, points: int) -> Tensor:
    """Reshape (N * P, C) to (N, P, C); P is `points`."""
    return rows.reshape(-1, points, rows.shape[1])
