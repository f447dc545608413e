"""Multi-attribute feature aggregation (MAFA): coarse landmarks refined with everything known.

SynergyNet, section 3.2: features of single points, of the whole point set, of the image and of
the 3DMM coefficients are joined, and a shared MLP turns them into one residual per landmark.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from backend.morphable_model.model import N_LANDMARKS
from backend.synergynet.point_mlp import PointLayer, PointMap, faces_of, point_mlp, rows_of

LOW_LEVEL = 64
HOLISTIC = 1024
HIDDEN = 512


class LandmarkRefinement(nn.Module):
    """Residual that takes coarse landmarks to refined ones.

    Parameters
    ----------
    attributes
        Lengths of the attributes of the face that join the features of the points: those of z,
        alpha_shape and alpha_exp in the paper's full network.
    adapt
        Put a fully connected layer of its own width before each attribute (the paper's domain
        adaptation). The authors' published code has none there.
    residual_activation
        Pass the residual through batch normalisation and ReLU, as the authors' code does.
    residual_scale
        Crop pixels per unit of residual. With the default a new network's residual is small
        against the coarse landmarks that it corrects.
    """

    def __init__(
        self,
        attributes: Sequence[int],
        adapt: bool = True,
        residual_activation: bool = False,
        residual_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.low_level = point_mlp(3, 64, LOW_LEVEL)
        self.holistic = point_mlp(LOW_LEVEL, 64, 128, HOLISTIC)
        self.adapt = nn.ModuleList(
            nn.Linear(width, width) if adapt else nn.Identity() for width in attributes
        )
        self.joint_points = PointMap(LOW_LEVEL, HIDDEN)
        self.joint_face = nn.Linear(HOLISTIC + sum(attributes), HIDDEN, bias=False)
        self.joint_bn = nn.BatchNorm1d(HIDDEN)
        self.decoder = point_mlp(HIDDEN, 256, 128)
        self.residual = PointLayer(128, 3) if residual_activation else PointMap(128, 3)
        self.residual_scale = residual_scale

    def forward(self, points: Tensor, *attributes: Tensor) -> Tensor:
        """Return the residual of the landmarks.

        Parameters
        ----------
        points
            (N, 3, 68) normalised coarse landmarks.
        attributes
            (N, length) each, in the order and of the lengths given to the constructor.

        Returns
        -------
        (N, 3, 68) in crop pixels.
        """
        return self.decode(*self.encode(points), *attributes)

    def encode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, 3, 68) points -> (N * 68, 64) feature of each, (N, 1024) feature of all."""
        low_level = self.low_level(rows_of(points))
        return low_level, faces_of(self.holistic(low_level), N_LANDMARKS).amax(dim=1)

    def decode(self, low_level: Tensor, holistic: Tensor, *attributes: Tensor) -> Tensor:
        """Return what `encode` gives, and the attributes -> (N, 3, 68) residual in crop pixels."""
        adapted = [layer(value) for layer, value in zip(self.adapt, attributes, strict=True)]
        # The paper repeats the 2354 numbers of the face for each of the 68 points and concatenates
        # them with the point's own 64. The layer that follows is linear, so its face part is the
        # same for all points: it is computed once and added.
        face = self.joint_face(torch.cat([holistic, *adapted], dim=1))
        joint = faces_of(self.joint_points(low_level), N_LANDMARKS) + face.unsqueeze(1)
        joint = nn.functional.relu(self.joint_bn(joint.flatten(0, 1)), inplace=True)
        residual = faces_of(self.residual(self.decoder(joint)), N_LANDMARKS)
        return residual.transpose(1, 2) * self.residual_scale
