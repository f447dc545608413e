"""SynergyNet's graph: what it computes at inference, without its numbers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from backend.engines.engine import INPUT, OUTPUTS
from backend.engines.graphs import export_graph
from backend.morphable_model.boxes import CROP_SIZE
from backend.synergynet.architecture import Architecture
from backend.synergynet.folding import fold, without_folded
from backend.synergynet.network import SynergyNet, normalise_image

LANDMARK_ROWS = ("landmark_mean", "landmark_basis")


class _Inference(nn.Module):
    """uint8 crops and the morphable model's landmark rows in, named outputs out.

    The weights are folded within, so that the graph takes them as a training leaves them;
    onnxruntime does it once, when it loads them.
    """

    def __init__(self, network: SynergyNet) -> None:
        super().__init__()
        self.network = network.eval()
        # Not as a module of this one: its weights are made of the network's.
        self._smaller = [without_folded(network)]

    def forward(self, crops: Tensor, mean: Tensor, basis: Tensor) -> tuple[Tensor, ...]:
        given = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        rows = {"decoder.landmark_mean": mean, "decoder.landmark_basis": basis}
        [smaller] = self._smaller
        _put(smaller, fold(given) | rows)
        prediction = smaller(normalise_image(crops))
        return tuple(getattr(prediction, name) for name in OUTPUTS)


def _put(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a module computed tensors as its parameters (`functional_call` cannot be traced)."""
    for name, tensor in tensors.items():
        owner, _, field = name.rpartition(".")
        part = module.get_submodule(owner)
        part._parameters.pop(field, None)
        part._buffers.pop(field, None)
        setattr(part, field, tensor)


def export_synergynet(architecture: Architecture) -> bytes:
    """Export the graph of every network of an architecture, as an ONNX file's content."""
    network = SynergyNet(architecture)
    rows = (network.decoder.landmark_mean, network.decoder.landmark_basis)
    crops = torch.zeros(2, CROP_SIZE, CROP_SIZE, 3, dtype=torch.uint8)
    inputs = {INPUT: crops, **dict(zip(LANDMARK_ROWS, rows, strict=True))}
    return export_graph(_Inference(network), inputs, OUTPUTS, LANDMARK_ROWS, prefix="network.")
