"""The same network with fewer numbers to multiply, for inference.

Between two activations everything is affine, and affine maps in a row are one. Training needs them
apart; afterwards the domain adaptation of the refinement and its batch normalisations can be
multiplied into the layers next to them. It saves a seventh of the network's time on a CPU. (The
convolutions' normalisations onnxruntime folds by itself.)
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from backend.synergynet.network import SynergyNet
from backend.synergynet.point_mlp import PointLayer
from backend.synergynet.refinement import HOLISTIC, LandmarkRefinement


def folded(network: SynergyNet) -> SynergyNet:
    """A copy of a network in evaluation mode that computes the same, up to rounding."""
    network = copy.deepcopy(network).eval()
    if network.refinement is not None:
        with torch.no_grad():
            _fold_adaptation(network.refinement)
            _fold_joint(network.refinement)
            for layer in network.refinement.modules():
                if isinstance(layer, PointLayer):
                    _fold_point_layer(layer)
    return network


def _fold_adaptation(refinement: LandmarkRefinement) -> None:
    """The layer before each attribute, into the one that joins the attributes."""
    joint = refinement.joint_face
    weight, bias = joint.weight.clone(), joint.weight.new_zeros(joint.out_features)
    start = HOLISTIC
    for layer in refinement.adapt:
        if isinstance(layer, nn.Linear):
            columns = slice(start, start + layer.in_features)
            weight[:, columns] = joint.weight[:, columns] @ layer.weight
            bias += joint.weight[:, columns] @ layer.bias
            start += layer.in_features
    refinement.adapt = nn.ModuleList(nn.Identity() for _ in refinement.adapt)
    refinement.joint_face = nn.Linear(joint.in_features, joint.out_features).to(weight)
    refinement.joint_face.weight.copy_(weight)
    refinement.joint_face.bias.copy_(bias)


def _fold_joint(refinement: LandmarkRefinement) -> None:
    """The normalisation of the sum of the points' and the face's part, into both."""
    scale, shift = _scale_and_shift(refinement.joint_bn)
    points, face = refinement.joint_points, refinement.joint_face
    assert points.bias is not None
    points.weight.mul_(scale[:, None, None])
    points.bias.mul_(scale)
    face.weight.mul_(scale[:, None])
    face.bias.mul_(scale).add_(shift)
    refinement.joint_bn = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]


def _fold_point_layer(layer: PointLayer) -> None:
    scale, shift = _scale_and_shift(layer.bn)
    assert layer.conv.bias is not None
    layer.conv.weight.mul_(scale[:, None, None])
    layer.conv.bias.mul_(scale).add_(shift)
    layer.bn = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]


def _scale_and_shift(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """What a normalisation with fixed statistics multiplies by, and then adds."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale
