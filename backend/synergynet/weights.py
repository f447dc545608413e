"""Weights of SynergyNet on disk: one safetensors file, half precision, never a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from backend.data_folder import atomic_path
from backend.errors import MissingAssetError

if TYPE_CHECKING:
    from backend.synergynet.network import SynergyNet

SHIPPED_WEIGHTS = Path(__file__).with_name("synergynet.safetensors")
ARCHITECTURE_KEY = "architecture"


def save_weights(network: SynergyNet, path: Path) -> None:
    """Write weights (float16; the whitening stays float32) with their architecture."""
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for name, tensor in network.state_dict().items():
        keep = not tensor.is_floating_point() or name.startswith("decoder.")
        tensors[name] = tensor.detach().cpu().to(tensor.dtype if keep else torch.float16)
        tensors[name] = tensors[name].contiguous()
    metadata = {ARCHITECTURE_KEY: json.dumps(network.architecture.as_dict())}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata)


def load_weights(path: Path) -> SynergyNet:
    """Read weights into a network in evaluation mode; its morphable model is not attached yet.

    Raises
    ------
    MissingAssetError
        The file is absent, damaged, or not a SynergyNet.
    """
    from safetensors import SafetensorError, safe_open

    from backend.synergynet.network import Architecture, SynergyNet

    remedy = "Reinstall SynergyFace, or import other weights with `synergyface assets import`."
    if not path.is_file():
        raise MissingAssetError(f"The weights {path} are missing.", remedy)
    try:
        with safe_open(path, framework="pt") as stored:
            architecture = Architecture(**json.loads(stored.metadata()[ARCHITECTURE_KEY]))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        network = SynergyNet(architecture)
        network.load_state_dict(
            {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
        )
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise MissingAssetError(f"The weights {path} are damaged: {reason}", remedy) from error
    return network.eval()
