"""Where the network runs: onnxruntime on the CPU, PyTorch on CUDA and MPS, behind one call."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError, OutOfMemoryError
from backend.exported import load_exported
from backend.morphable_model.model import MorphableModel
from backend.synergynet.weights import active_weights, load_weights, require_weights

if TYPE_CHECKING:
    from backend.synergynet.network import SynergyNet

Device = Literal["auto", "cpu", "cuda", "mps"]
DEVICES: tuple[Device, ...] = ("auto", "cpu", "cuda", "mps")

INPUT = "crops"
OUTPUTS = ("parameters", "coarse", "refined")
CPU_THREADS = 2
# Another one for every change of what is exported.
EXPORT_VERSION = b"2"


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
        """(N, 120, 120, 3) uint8 RGB crops -> `NetworkOutput`."""
        ...


def load_engine(
    model: MorphableModel, device: Device = "auto", weights: Path | None = None
) -> Engine:
    """The engine for a device, with the given weights or those in use.

    Raises
    ------
    BadInputError
        The device is not there.
    MissingAssetError
        The weights are absent or damaged.
    """
    weights = weights or active_weights()
    chosen = available_device(device)
    if chosen == "cpu":
        return load_exported(
            f"synergynet-{network_digest(weights, model)}",
            lambda: export_onnx(load_folded(weights), model),
            OnnxEngine,
        )
    return TorchEngine(load_folded(weights), model, chosen)


def load_folded(weights: Path) -> SynergyNet:
    """Weights as a network for inference; see `load_weights` for what it raises."""
    from backend.synergynet.folding import folded

    return folded(load_weights(weights))


class OnnxEngine:
    """onnxruntime on the CPU.

    Parameters
    ----------
    exported
        A network made by `export_onnx`: the file, or its content, of which a copy is kept.
    """

    device = "cpu"

    def __init__(self, exported: Path | bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _cpu_threads()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            exported, options, providers=["CPUExecutionProvider"]
        )

    def run(self, crops: NDArray[np.uint8]) -> NetworkOutput:
        """See `Engine.run`."""
        parameters, coarse, refined = self._session.run(list(OUTPUTS), {INPUT: crops})
        return _output(parameters, coarse, refined)


class TorchEngine:
    """PyTorch on any of its devices.

    Parameters
    ----------
    network
        The network with its weights.
    model
        The morphable model whose landmarks it uses.
    device
        ``cpu``, ``cuda`` or ``mps``.
    """

    def __init__(self, network: SynergyNet, model: MorphableModel, device: str) -> None:
        network.attach(model)
        self.device = device
        self._network = network.eval().to(device)

    def run(self, crops: NDArray[np.uint8]) -> NetworkOutput:
        """See `Engine.run`.

        Raises
        ------
        OutOfMemoryError
            The device has too little memory for so many crops.
        """
        import torch

        from backend.synergynet.network import normalise_image

        try:
            with torch.inference_mode():
                images = normalise_image(torch.from_numpy(crops).to(self.device))
                prediction = self._network(images)
                arrays = [getattr(prediction, name).float().cpu().numpy() for name in OUTPUTS]
        except torch.OutOfMemoryError as error:
            # What the failed attempt holds would make the next one fail too.
            torch.cuda.empty_cache()
            raise OutOfMemoryError("memory of the graphics card") from error
        return _output(*arrays)


def export_onnx(network: SynergyNet, model: MorphableModel) -> bytes:
    """The network with the landmark rows of the morphable model as an ONNX file's content.

    It holds data of the Basel Face Model: it stays on this computer.
    """
    import io
    import warnings

    import torch

    from backend.synergynet.network import normalise_image

    class Inference(torch.nn.Module):
        """uint8 crops in, named outputs out."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
            prediction = self.network(normalise_image(crops))
            return tuple(getattr(prediction, name) for name in OUTPUTS)

    network.attach(model)
    example = torch.zeros(2, 120, 120, 3, dtype=torch.uint8)
    content: Any = io.BytesIO()  # which its types leave out
    with warnings.catch_warnings():
        # The exporter by tracing is announced to go, but needs no further packages and is 20 times
        # as fast as its successor; the version of PyTorch is pinned.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Inference().eval(),
            (example,),
            content,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "n"} for name in (INPUT, *OUTPUTS)},
            dynamo=False,
        )
    return content.getvalue()


def network_digest(weights: Path, model: MorphableModel) -> str:
    """Names a network by all that its answers depend on.

    Raises
    ------
    MissingAssetError
        The weights are absent.
    """
    require_weights(weights)
    digest = hashlib.sha256(EXPORT_VERSION)
    digest.update(weights.read_bytes())
    digest.update(model.landmark_mean.tobytes())
    digest.update(model.landmark_basis.tobytes())
    return digest.hexdigest()[:16]


def _output(*arrays: Any) -> NetworkOutput:
    """Landmarks come as (N, 3, 68) and leave as (N, 68, 3)."""
    parameters, coarse, refined = arrays
    return NetworkOutput(
        parameters,
        np.ascontiguousarray(coarse.transpose(0, 2, 1)),
        np.ascontiguousarray(refined.transpose(0, 2, 1)),
    )


def available_device(device: Device) -> str:
    if device == "cpu":
        return "cpu"
    cuda = device in ("auto", "cuda") and _has_nvidia_driver() and _torch_has("cuda")
    mps = device in ("auto", "mps") and sys.platform == "darwin" and _torch_has("mps")
    if cuda or mps:
        return "cuda" if cuda else "mps"
    if device == "auto":
        return "cpu"
    raise BadInputError(
        f"The device {device} is not available on this computer.",
        "Use --device cpu, or install the GPU's driver and a PyTorch built for it.",
        code="no-device",
    )


def _cpu_threads() -> int:
    """Threads of the network on the CPU; ``OMP_NUM_THREADS`` limits them, as it does others."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(CPU_THREADS, int(limit))) if limit.isdigit() else CPU_THREADS


def _has_nvidia_driver() -> bool:
    """Whether the CUDA driver is there; asked first, because importing PyTorch takes seconds."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _torch_has(kind: str) -> bool:
    import torch

    return torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()
