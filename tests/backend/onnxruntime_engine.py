"""A network of PyTorch's as the backend runs it without PyTorch."""

from __future__ import annotations

from pathlib import Path

from backend.engines.engine import OnnxEngine
from backend.morphable_model.model import MorphableModel
from backend.synergynet.network import SynergyNet
from backend.synergynet.weights import read_inference, save_weights


def with_onnxruntime(network: SynergyNet, model: MorphableModel, folder: Path) -> OnnxEngine:
    """Save a network's weights in single precision, and load them into onnxruntime."""
    weights = folder / "network.safetensors"
    save_weights(network, weights, half=False)
    return OnnxEngine(*read_inference(weights), model)
