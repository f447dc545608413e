"""Export of a trained SynergyNet."""

from __future__ import annotations

from pathlib import Path

import lightning as L

from backend.synergynet.weights import save_weights
from training.steps.export import ExportAverage
from training.synergynet.module import SynergyModule


class ExportWeights(ExportAverage):
    """Writes ``synergynet.safetensors``; see `ExportAverage`."""

    FILE = "synergynet.safetensors"

    def save(self, module: L.LightningModule, path: Path) -> None:
        assert isinstance(module, SynergyModule)
        save_weights(module.averaged_network, path)
