"""Training of SynergyNet as a Lightning module."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from backend.morphable_model.model import N_POSE
from backend.morphable_model.storage import load_model
from backend.synergynet.network import Architecture, SynergyNet
from backend.synergynet.weights import load_weights
from training.data.augmentation import (
    Augmentation,
    AugmentationSettings,
    similarity,
    to_network,
    warp,
)
from training.data.mirror import mirror_coefficients
from training.data.packed import PackedBatch
from training.evaluation.nme import normalised_mean_error
from training.synergynet.averaging import warming_average
from training.synergynet.data_module import PackedFacesModule, parameter_statistics
from training.synergynet.losses import LossWeights, synergy_losses
from training.synergynet.schedule import (
    OptimiserSettings,
    ResolutionStep,
    build_optimiser,
    resolution_at,
)


class SynergyModule(L.LightningModule):
    """SynergyNet with its four losses.

    Parameters
    ----------
    variant
        Architecture, see `backend.synergynet.network.Architecture`.
    loss_weights
        Weights of the joint loss.
    optimiser
        Which optimiser and learning-rate schedule.
    augmentation
        Ranges of the augmentation.
    resolutions
        Input sizes by progress of the training. The network is convolutional, and its early epochs
        learn as well from smaller pictures in less time.
    ema_decay
        Decay of the averaged weights, which are the ones validated and exported.
    weights
        Exported weights to start from, with their variant and whitening; None starts anew.
    """

    def __init__(
        self,
        variant: Literal["paper", "official"] = "paper",
        loss_weights: LossWeights = LossWeights(),  # noqa: B008
        optimiser: OptimiserSettings = OptimiserSettings(),  # noqa: B008
        augmentation: AugmentationSettings = AugmentationSettings(),  # noqa: B008
        resolutions: tuple[ResolutionStep, ...] = (ResolutionStep(),),
        ema_decay: float = 0.999,
        weights: Path | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters({"variant": variant, "loss_weights": asdict(loss_weights)})
        self.loss_weights = loss_weights
        self.optimiser = optimiser
        self.resolutions = resolutions
        self.augmentation_settings = augmentation
        self.model = load_model()
        self.starts_anew = weights is None
        self.network = (
            SynergyNet(Architecture(variant)) if weights is None else load_weights(weights)
        )
        self.network.train()
        self.network.attach(self.model)
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.averaged = AveragedModel(
            self.network, multi_avg_fn=warming_average(ema_decay), use_buffers=True
        )

    @property
    def averaged_network(self) -> SynergyNet:
        """The network with averaged weights."""
        network = self.averaged.module
        assert isinstance(network, SynergyNet)
        return network

    def setup(self, stage: str) -> None:
        """Take the whitening from the training data (a resumed run restores its own)."""
        data = getattr(self.trainer, "datamodule", None)
        if stage == "fit" and isinstance(data, PackedFacesModule):
            mean, std = parameter_statistics(data.labels, data.training_indices)
            mirror = mirror_coefficients(self.model, mean[N_POSE:], std[N_POSE:])
            self.augmentation = Augmentation(mirror, self.augmentation_settings)
            # The fits shrink what their points say little about. With the spreads of 300W-LP, from
            # which the published whitening comes, such coefficients weigh as little as they move
            # the face.
            std[N_POSE:] = self.model.parameter_std[N_POSE:]
            for network in (self.network, self.averaged_network) if self.starts_anew else ():
                network.decoder.parameter_mean.copy_(torch.from_numpy(mean))
                network.decoder.parameter_std.copy_(torch.from_numpy(std))

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0 to 1."""
        return min(1.0, self.global_step / max(1, int(self.trainer.estimated_stepping_batches)))

    def training_step(self, batch: PackedBatch, batch_index: int) -> Tensor:
        size = resolution_at(self.resolutions, self.progress)
        images, parameters, landmarks = self.augmentation(batch, size)
        images = images.contiguous(memory_format=torch.channels_last)
        losses = synergy_losses(
            self.network.training_forward(images),
            self.network.decoder.whiten(parameters),
            landmarks,
            self.loss_weights.reverse_targets,
        )
        total = losses.total(self.loss_weights)
        self.log("train/loss", total, prog_bar=True)
        self.log_dict({f"train/{name}": value for name, value in vars(losses).items()})
        return total

    def on_train_batch_end(self, outputs: Any, batch: PackedBatch, batch_idx: int) -> None:
        self.averaged.update_parameters(self.network)

    def validation_step(self, batch: PackedBatch, batch_index: int) -> None:
        n = len(batch.crops)
        device = batch.crops.device
        still = similarity(
            torch.zeros(n, device=device),
            torch.ones(n, device=device),
            torch.zeros(n, 2, device=device),
            torch.zeros(n, dtype=torch.bool, device=device),
        )
        # A network that has seen small crops only would fail on full ones.
        size = resolution_at(self.resolutions, self.progress)
        images = to_network(warp(batch.crops, still, size))
        self.averaged.eval()
        prediction = self.averaged(images.contiguous(memory_format=torch.channels_last))
        truth = batch.points.transpose(1, 2).cpu().numpy()
        for name in ("refined", "coarse"):
            found = getattr(prediction, name)[:, :2].transpose(1, 2).cpu().numpy()
            for part in ("all", "inner"):
                value = float(normalised_mean_error(found, truth, part).mean())
                self.log(f"val/{name}_{part}", value, prog_bar=name == "refined", batch_size=n)

    def configure_optimizers(self) -> Any:
        steps = int(self.trainer.estimated_stepping_batches)
        epochs = self.trainer.max_epochs or 1
        return build_optimiser(self.network, self.optimiser, steps, epochs)
