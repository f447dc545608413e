"""What is random in a training follows from its seed, and from where it is."""

from __future__ import annotations

from typing import Any

import lightning as L
import numpy as np
import torch


class SeededSteps(L.LightningModule):
    """A module whose steps draw by the training's seed, the epoch, the batch and the process.

    So processes that train together augment their batches differently, and a training that was
    interrupted goes on as it would have without; nothing of it need be stored.
    """

    _seed = 0

    def on_fit_start(self) -> None:
        self._seed = torch.initial_seed()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        place = np.random.SeedSequence(
            (self._seed, self.current_epoch, batch_idx, self.global_rank)
        )
        torch.manual_seed(int(place.generate_state(1, np.uint64)[0]))
