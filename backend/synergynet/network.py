"""SynergyNet (Wu, Xu, Neumann, 3DV 2021): a face crop to 3DMM parameters and refined landmarks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from backend.morphable_model.model import N_POSE, N_SHAPE, MorphableModel
from backend.synergynet.landmark_decoder import (
    LandmarkDecoder,
    normalise_landmarks,
    official_landmarks,
)
from backend.synergynet.landmark_to_3dmm import LandmarkTo3DMM
from backend.synergynet.mobilenet_v2 import FEATURES, MobileNetV2
from backend.synergynet.parameter_heads import ParameterHeads
from backend.synergynet.refinement import LandmarkRefinement


@dataclass(frozen=True)
class Architecture:
    """What distinguishes the variants of the network.

    Attributes
    ----------
    variant
        ``paper`` follows the paper; ``official`` has the layers of the authors' published code,
        so that their weights fit.
    """

    variant: Literal["paper", "official"] = "paper"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class Prediction(NamedTuple):
    """What the network says of N crops.

    Attributes
    ----------
    whitened
        (N, 62) whitened parameters.
    parameters
        (N, 62) in the units of the data files.
    coarse
        (N, 3, 68) landmarks of the mesh itself, crop frame (pixels, y up).
    refined
        (N, 3, 68) landmarks after aggregation.
    """

    whitened: Tensor
    parameters: Tensor
    coarse: Tensor
    refined: Tensor


class SynergyNet(nn.Module):
    """Image to parameters, landmarks refined, and (in training) landmarks to parameters."""

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__()
        self.architecture = architecture = architecture or Architecture()
        official = architecture.variant == "official"
        self.backbone = MobileNetV2()
        self.heads = ParameterHeads(FEATURES)
        self.refinement = LandmarkRefinement(
            adapt=not official,
            residual_activation=official,
            residual_scale=0.05 if official else 1.0,
        )
        self.landmark_to_3dmm = LandmarkTo3DMM(output_activation=official)
        self.decoder = LandmarkDecoder()

    def attach(self, model: MorphableModel) -> None:
        """Give the network the landmark rows of the user's morphable model."""
        self.decoder.attach(model)

    def forward(self, image: Tensor) -> Prediction:
        """(N, 3, 120, 120) RGB in [-1, 1] -> `Prediction`."""
        z = self.backbone(image)
        whitened = self.heads(z)
        parameters = self.decoder.parameters_from(whitened)
        coarse = self.decoder(parameters)
        if self.architecture.variant == "official" and not self.training:
            # What the authors publish answers with the coarse landmarks; the refinement in their
            # checkpoint serves training alone.
            return Prediction(whitened, parameters, coarse, coarse)
        residual = self.refinement(
            self.point_input(coarse),
            z,
            whitened[:, N_POSE : N_POSE + N_SHAPE],
            whitened[:, N_POSE + N_SHAPE :],
        )
        if self.architecture.variant == "official":
            residual = residual * residual.new_tensor([1.0, -1.0, 1.0])[:, None]
        return Prediction(whitened, parameters, coarse, coarse + residual)

    def reverse(self, landmarks: Tensor) -> Tensor:
        """(N, 3, 68) landmarks in the crop frame -> (N, 62) whitened parameters (training only)."""
        return self.landmark_to_3dmm(self.point_input(landmarks))

    def point_input(self, landmarks: Tensor) -> Tensor:
        """What the point networks see of (N, 3, 68) landmarks of the crop frame."""
        if self.architecture.variant == "official":
            return official_landmarks(landmarks)
        return normalise_landmarks(landmarks)


def normalise_image(crops: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 RGB -> (N, 3, H, W) float32 in [-1, 1], as the authors normalise."""
    return (crops.permute(0, 3, 1, 2).to(torch.float32) - 127.5) / 128.0


def parameter_counts(network: SynergyNet) -> dict[str, int]:
    """Trainable numbers per part."""
    parts = dict(network.named_children())
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
