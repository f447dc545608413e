"""SynergyNet in PyTorch, on any of its devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from backend.engines.engine import OUTPUTS, NetworkOutput, network_output
from backend.errors import OutOfMemoryError
from backend.synergynet.folding import folded
from backend.synergynet.network import normalise_image
from backend.synergynet.weights import load_weights

if TYPE_CHECKING:
    from backend.morphable_model.model import MorphableModel
    from backend.synergynet.network import SynergyNet


def load_folded(weights: Path) -> SynergyNet:
    """Load weights as a network for inference; see `load_weights` for what it raises."""
    return folded(load_weights(weights))


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
        try:
            with torch.inference_mode():
                images = normalise_image(torch.from_numpy(crops).to(self.device))
                prediction = self._network(images)
                arrays = [getattr(prediction, name).float().cpu().numpy() for name in OUTPUTS]
        except torch.OutOfMemoryError as error:
            # What the failed attempt holds would make the next one fail too.
            torch.cuda.empty_cache()
            raise OutOfMemoryError("memory of the graphics card") from error
        return network_output(*arrays)
