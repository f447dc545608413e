"""Weights of SynergyNet on disk: one safetensors file, half precision, never a pickle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path, data_folder
from backend.engines.graph_files import Graph, find_graph, keep_graph
from backend.errors import BadInputError, MissingAssetError
from backend.morphable_model.model import N_LANDMARKS, N_PARAMETERS, N_POSE

if TYPE_CHECKING:
    from backend.synergynet.network import SynergyNet

Arrays = dict[str, NDArray[Any]]

SHIPPED_WEIGHTS = Path(__file__).with_name("synergynet.safetensors")
# What networks of the shipped weights' architecture compute; see `backend.engines.sessions`.
SHIPPED_GRAPH = SHIPPED_WEIGHTS.with_suffix(".onnx")
ARCHITECTURE_KEY = "architecture"
REMEDY = "Reinstall SynergyFace, or import weights with `synergyface assets import`."


def require_weights(path: Path) -> None:
    """Raise `MissingAssetError` unless the file is there."""
    if not path.is_file():
        raise MissingAssetError(f"The weights {path} are missing.", REMEDY)


def imported_weights_path(folder: Path) -> Path:
    """Tell where weights that the user imported lie in the data folder."""
    return folder / "synergynet.safetensors"


def active_weights() -> Path:
    """Return the user's imported weights if there are any, else those that we ship."""
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
        _check_inference(path)
        target = imported_weights_path(data_folder())
        with atomic_path(target) as temporary:
            shutil.copyfile(path, temporary)
        keep_graph_of(target)
    except MissingAssetError as error:
        raise BadInputError(error.problem, "Give the file that a training exported.") from error
    return target


def _check_inference(weights: Path) -> None:
    """Open weights as the backend will, with a face of zeros in place of the user's model."""
    from backend.engines.sessions import open_session

    graph, arrays = read_inference(weights)
    n = 3 * N_LANDMARKS
    rows = {"landmark_mean": np.zeros(n), "landmark_basis": np.zeros((n, N_PARAMETERS - N_POSE))}
    try:
        open_session(graph, {**arrays, **rows})
    except ValueError as error:
        raise unusable_weights(weights, error) from error


def read_inference(weights: Path) -> tuple[Graph, Arrays]:
    """Read what onnxruntime needs of a network; see `backend.engines.sessions`.

    Returns
    -------
    The graph, and the weights by the names that it gives them.

    Raises
    ------
    MissingAssetError
        The file is absent, damaged, not a SynergyNet, or of an architecture whose graph only
        PyTorch can make, which is not installed.
    """
    architecture, arrays = _read(weights)
    unused = ["landmark_to_3dmm."] + ["refinement."] * (architecture.get("variant") == "official")
    used = {
        name: array
        for name, array in arrays.items()
        if not name.startswith(tuple(unused)) and not name.endswith("num_batches_tracked")
    }
    return _graph_of(weights, architecture), used


def _graph_of(weights: Path, architecture: dict[str, Any]) -> Graph:
    def export() -> bytes:
        from backend.synergynet.architecture import Architecture
        from backend.synergynet.inference import export_synergynet

        return export_synergynet(Architecture(**architecture))

    shipped = architecture == read_architecture(SHIPPED_WEIGHTS)
    try:
        return find_graph(weights, SHIPPED_GRAPH if shipped else None, export)
    except (ValueError, TypeError) as error:
        raise unusable_weights(weights, error) from error


def keep_graph_of(weights: Path) -> None:
    """Keep the graph of imported weights; raises as `read_inference`."""
    keep_graph(weights, lambda: read_inference(weights)[0])


def read_architecture(path: Path) -> dict[str, Any]:
    """Read the fields of a network's architecture; see `load_weights` for what it raises."""
    return _read(path)[0]


def parameter_counts(path: Path) -> dict[str, int]:
    """Count the numbers that training learns, by the parts of a network."""
    counts: dict[str, int] = {}
    for name, array in _read(path)[1].items():
        if name.endswith((".weight", ".bias")):
            part = name.partition(".")[0]
            counts[part] = counts.get(part, 0) + array.size
    return counts


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    from safetensors import safe_open

    require_weights(path)
    try:
        with safe_open(path, framework="np") as stored:
            architecture = json.loads(stored.metadata()[ARCHITECTURE_KEY])
            if not isinstance(architecture, dict):
                raise ValueError("their architecture is not described")
            return architecture, {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except Exception as error:  # damage shows anywhere between the header and the last tensor
        raise unusable_weights(path, error) from error


def unusable_weights(path: Path, error: Exception) -> MissingAssetError:
    """Say that weights cannot be used, and why."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return MissingAssetError(f"The weights {path} cannot be used: {reason}.", REMEDY)


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
    import torch

    from backend.synergynet.network import Architecture, SynergyNet

    architecture, arrays = _read(path)
    try:
        network = SynergyNet(Architecture(**architecture))
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        network.load_state_dict(
            {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
        )
    except Exception as error:  # any part may be missing, odd, or of another shape
        raise unusable_weights(path, error) from error
    return network.eval()
