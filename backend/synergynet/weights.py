"""Weights of SynergyNet on disk: one safetensors file, half precision, never a pickle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from backend.data_folder import atomic_path, data_folder
from backend.errors import BadInputError, MissingAssetError

if TYPE_CHECKING:
    from backend.synergynet.network import SynergyNet

SHIPPED_WEIGHTS = Path(__file__).with_name("synergynet.safetensors")
ARCHITECTURE_KEY = "architecture"
REMEDY = "Reinstall SynergyFace, or import weights with `synergyface assets import`."


def require_weights(path: Path) -> None:
    """Raise `MissingAssetError` unless the file is there."""
    if not path.is_file():
        raise MissingAssetError(f"The weights {path} are missing.", REMEDY)


def imported_weights_path(folder: Path) -> Path:
    """Where weights that the user imported lie in the data folder."""
    return folder / "synergynet.safetensors"


def active_weights() -> Path:
    """The user's imported weights if there are any, else those that we ship."""
    imported = imported_weights_path(data_folder())
    return imported if imported.is_file() else SHIPPED_WEIGHTS


def import_weights(path: Path) -> Path:
    """Make exported weights the network that the backend uses; returns their copy's path.

    Raises
    ------
    BadInputError
        The file is damaged, or not a SynergyNet of ours.
    """
    try:
        load_weights(path)
    except MissingAssetError as error:
        raise BadInputError(error.problem, "Give the file that a training exported.") from error
    target = imported_weights_path(data_folder())
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
    return target


def save_weights(network: SynergyNet, path: Path, half: bool = True) -> None:
    """Write weights with their architecture.

    Parameters
    ----------
    network
        Its morphable model is left out.
    path
        Target, replaced atomically.
    half
        Store float16 (the whitening stays float32).
    """
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for name, tensor in network.state_dict().items():
        keep = not (half and tensor.is_floating_point()) or name.startswith("decoder.")
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
    from safetensors import safe_open

    from backend.synergynet.network import Architecture, SynergyNet

    require_weights(path)
    try:
        with safe_open(path, framework="pt") as stored:
            architecture = Architecture(**json.loads(stored.metadata()[ARCHITECTURE_KEY]))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        network = SynergyNet(architecture)
        network.load_state_dict(
            {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
        )
    except Exception as error:  # damage shows anywhere between the header and the last tensor
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise MissingAssetError(f"The weights {path} are damaged: {reason}.", REMEDY) from error
    return network.eval()
