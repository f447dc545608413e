"""SynergyNet (Wu, Xu, Neumann, 3DV 2021): a face crop to 3DMM parameters and refined landmarks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from backend.errors import BadInputError
from backend.morphable_model.model import N_POSE, N_SHAPE, MorphableModel
from backend.synergynet.architecture import Architecture
from backend.synergynet.backbones import BACKBONES
from backend.synergynet.landmark_decoder import (
    LandmarkDecoder,
    normalise_landmarks,
    official_landmarks,
)
from backend.synergynet.landmark_to_3dmm import LandmarkTo3DMM
from backend.synergynet.parameter_heads import N_EXPRESSION, ParameterHeads
from backend.synergynet.refinement import HOLISTIC, LandmarkRefinement

__all__ = ["Architecture", "Prediction", "SynergyNet", "TrainingPrediction"]


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
        (N, 3, 68) landmarks after aggregation; the coarse ones where nothing refines them.
    """

    whitened: Tensor
    parameters: Tensor
    coarse: Tensor
    refined: Tensor


class TrainingPrediction(NamedTuple):
    """What the losses take: `Prediction`, and what the reverse direction says.

    Attributes
    ----------
    whitened, parameters, coarse, refined
        See `Prediction`.
    read_back
        (N, 62) whitened parameters read back from the landmarks; None without a reverse network.
    """

    whitened: Tensor
    parameters: Tensor
    coarse: Tensor
    refined: Tensor
    read_back: Tensor | None


class SynergyNet(nn.Module):
    """Image to parameters, landmarks refined, and (in training) landmarks to parameters.

    Parameters
    ----------
    architecture
        Which parts; None is the paper's network.
    """

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__()
        self.architecture = architecture = architecture or Architecture()
        self.backbone = BACKBONES[architecture.backbone]()
        features = self.backbone.feature_width
        self.heads = ParameterHeads(features, architecture.head_width)
        self.refinement = _build_refinement(architecture, features)
        self.landmark_to_3dmm = _build_reverse(architecture, features)
        self.decoder = LandmarkDecoder()

    def attach(self, model: MorphableModel) -> None:
        """Give the network the landmark rows of the user's morphable model."""
        self.decoder.attach(model)

    def forward(self, image: Tensor) -> Prediction:
        """Return (N, 3, 120, 120) RGB in [-1, 1] -> `Prediction`."""
        z, whitened, parameters, coarse = self.regress(image)
        if self.architecture.variant == "official":
            # What the authors publish answers with the coarse landmarks; the refinement in their
            # checkpoint serves training alone.
            return Prediction(whitened, parameters, coarse, coarse)
        refined, _ = self._refine(z, whitened, coarse)
        return Prediction(whitened, parameters, coarse, refined)

    def training_forward(self, image: Tensor) -> TrainingPrediction:
        """Return (N, 3, 120, 120) RGB in [-1, 1] -> `TrainingPrediction`, the reverse direction
        too.
        """
        z, whitened, parameters, coarse = self.regress(image)
        refined, holistic = self._refine(z, whitened, coarse)
        match self.architecture.reverse:
            case "from_refinement":
                read_back = self._reverse_module()(holistic)
            case "with_attributes":
                attributes = (z, *_coefficients(whitened))
                read_back = self._reverse_module()(self.point_input(refined), *attributes)
            case "adopted":
                read_back = self.reverse(refined)
            case "none":
                read_back = None
        return TrainingPrediction(whitened, parameters, coarse, refined, read_back)

    def regress(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return what the image network says by itself.

        Parameters
        ----------
        image
            (N, 3, 120, 120) RGB in [-1, 1].

        Returns
        -------
        Image feature z (N, F), whitened parameters (N, 62), parameters (N, 62), coarse landmarks
        (N, 3, 68).
        """
        z = self.backbone(image)
        # In bfloat16 a parameter would have two or three digits.
        with torch.autocast(image.device.type, enabled=False):
            whitened = self.heads(z.float())
        parameters = self.decoder.parameters_from(whitened)
        return z, whitened, parameters, self.decoder(parameters)

    def reverse(self, landmarks: Tensor) -> Tensor:
        """Return (N, 3, 68) landmarks in the crop frame -> (N, 62) whitened parameters (training
        only).

        Raises
        ------
        BadInputError
            The network has no reverse direction that takes landmarks alone.
        """
        if self.architecture.reverse != "adopted":
            raise BadInputError(
                f"The reverse direction '{self.architecture.reverse}' of this network does not "
                "take landmarks alone.",
                "Use weights whose reverse direction is 'adopted', as in the paper.",
            )
        return self._reverse_module()(self.point_input(landmarks))

    def point_input(self, landmarks: Tensor) -> Tensor:
        """Return what the point networks see of (N, 3, 68) landmarks of the crop frame."""
        if self.architecture.variant == "official":
            return official_landmarks(landmarks)
        return normalise_landmarks(landmarks)

    def _refine(self, z: Tensor, whitened: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return refined landmarks, and the feature of all points; coarse and None where none
        refines.
        """
        if self.refinement is None:
            return coarse, None
        low_level, holistic = self.refinement.encode(self.point_input(coarse))
        # The refinement takes as many of these as its kind aggregates.
        attributes = (z, *_coefficients(whitened))[: len(self.refinement.adapt)]
        residual = self.refinement.decode(low_level, holistic, *attributes)
        return coarse + self._in_crop_frame(residual), holistic

    def _reverse_module(self) -> nn.Module:
        assert self.landmark_to_3dmm is not None
        return self.landmark_to_3dmm

    def _in_crop_frame(self, residual: Tensor) -> Tensor:
        """Return the authors' residual points down, ours up."""
        if self.architecture.variant == "official":
            x, y, z = residual.unbind(dim=1)
            return torch.stack([x, -y, z], dim=1)
        return residual


def _coefficients(whitened: Tensor) -> tuple[Tensor, Tensor]:
    """Return (N, 62) -> (N, 40) alpha_shape and (N, 10) alpha_exp, whitened."""
    return whitened[:, N_POSE : N_POSE + N_SHAPE], whitened[:, N_POSE + N_SHAPE :]


def _build_refinement(architecture: Architecture, features: int) -> LandmarkRefinement | None:
    if architecture.refinement == "none":
        return None
    official = architecture.variant == "official"
    aggregated = {"points": 0, "points_image": 1, "mafa": 3}[architecture.refinement]
    return LandmarkRefinement(
        (features, N_SHAPE, N_EXPRESSION)[:aggregated],
        adapt=not official,
        residual_activation=official,
        residual_scale=0.05 if official else 1.0,
    )


def _build_reverse(architecture: Architecture, features: int) -> nn.Module | None:
    match architecture.reverse:
        case "adopted":
            return LandmarkTo3DMM(output_activation=architecture.variant == "official")
        case "with_attributes":
            return LandmarkTo3DMM(attributes=features + N_SHAPE + N_EXPRESSION)
        case "from_refinement":
            return ParameterHeads(HOLISTIC)
        case "none":
            return None


def normalise_image(crops: Tensor) -> Tensor:
    """Return (N, H, W, 3) uint8 RGB -> (N, 3, H, W) float32 in [-1, 1], as the authors
    normalise.
    """
    return (crops.permute(0, 3, 1, 2).to(torch.float32) - 127.5) / 128.0


def parameter_counts(network: SynergyNet) -> dict[str, int]:
    """Return trainable numbers per part."""
    parts = dict(network.named_children())
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
