"""SynergyNet at work: onnxruntime or PyTorch, behind one call."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.engines.devices import PROCESSOR, Device, Runtime, find_runtime
from backend.engines.graph_files import Graph
from backend.engines.sessions import open_session
from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
from backend.synergynet.weights import (
    active_weights,
    read_inference,
    require_weights,
    unusable_weights,
)

if TYPE_CHECKING:
    from backend.morphable_model.model import MorphableModel

INPUT = "crops"
OUTPUTS = ("parameters", "coarse", "refined")


@dataclass(frozen=True)
class NetworkOutput:
    """What the network says of N crops, in the crop frame (pixels, y up).

    Attributes
    ----------
    parameters
        (N, 62) float32, not whitened.
    coarse, refined
        (N, 68, 3) float32 landmarks of the mesh, and after refinement.
    """

    parameters: NDArray[np.float32]
    coarse: NDArray[np.float32]
    refined: NDArray[np.float32]


class Engine(Protocol):
    """Something that runs the network."""

    @property
    def device(self) -> str:
        """Where: ``cpu``, ``cuda`` or ``mps``."""
        ...

    def run(self, crops: NDArray[np.uint8]) -> NetworkOutput:
        """Return (N, 120, 120, 3) uint8 RGB crops -> `NetworkOutput`."""
        ...


def load_engine(
    model: MorphableModel, device: Device | Runtime = "auto", weights: Path | None = None
) -> Engine:
    """Load the engine for a device, with the given weights or those in use.

    Raises
    ------
    BadInputError
        The device is not there.
    MissingAssetError
        The weights are absent or damaged.
    """
    weights = weights or active_weights()
    runtime = device if isinstance(device, Runtime) else find_runtime(device)
    if runtime.library == "torch":
        from backend.engines.torch_engine import TorchEngine, load_folded

        return TorchEngine(load_folded(weights), model, runtime.device)
    graph, arrays = read_inference(weights)
    try:
        return OnnxEngine(graph, arrays, model, runtime)
    except ValueError as error:
        raise unusable_weights(weights, error) from error


class OnnxEngine:
    """onnxruntime on any of its devices.

    Parameters
    ----------
    graph
        Made by `backend.synergynet.inference.export_synergynet`: the file, or its content.
    arrays
        The network's weights, by the names that the graph gives them.
    model
        The morphable model whose landmarks it uses.
    runtime
        Where.

    Raises
    ------
    ValueError
        Graph and weights do not belong together, or are damaged.
    """

    def __init__(
        self,
        graph: Graph,
        arrays: Mapping[str, NDArray[Any]],
        model: MorphableModel,
        runtime: Runtime = PROCESSOR,
    ) -> None:
        self.device = runtime.device
        self._session = open_session(graph, {**arrays, **landmark_rows(model)}, runtime.device)

    def run(self, crops: NDArray[np.uint8]) -> NetworkOutput:
        """See `Engine.run`."""
        return network_output(*self._session.run(list(OUTPUTS), {INPUT: crops}))


def landmark_rows(model: MorphableModel) -> dict[str, NDArray[np.float32]]:
    """Return rows of the morphable model that SynergyNet takes, in micrometres.

    Returns
    -------
    ``landmark_mean`` (204,) and ``landmark_basis`` (204, 50), x, y and z of a landmark in a row.
    """
    mean = model.landmark_mean.reshape(-1)
    basis = model.landmark_basis.reshape(len(mean), -1)
    rows = {"landmark_mean": mean, "landmark_basis": basis}
    scale = np.float32(MICROMETRES_PER_MILLIMETRE)
    return {name: np.asarray(scale * row, np.float32) for name, row in rows.items()}


def network_digest(weights: Path, model: MorphableModel) -> str:
    """Name a network by all that its answers depend on.

    Raises
    ------
    MissingAssetError
        The weights are absent.
    """
    require_weights(weights)
    digest = hashlib.sha256(weights.read_bytes())
    digest.update(model.landmark_mean.tobytes())
    digest.update(model.landmark_basis.tobytes())
    return digest.hexdigest()[:16]


def network_output(*arrays: Any) -> NetworkOutput:
    """Return what a network returns, in order; landmarks come as (N, 3, 68) and leave as (N, 68,
    3).
    """
    parameters, coarse, refined = arrays
    return NetworkOutput(
        parameters,
        np.ascontiguousarray(coarse.transpose(0, 2, 1)),
        np.ascontiguousarray(refined.transpose(0, 2, 1)),
    )
