"""Training of SynergyNet as a Lightning module."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from backend.morphable_model.mirror_image import mirror_coefficients
from backend.morphable_model.model import N_POSE
from backend.morphable_model.storage import load_model
from backend.synergynet.network import Architecture, Prediction, SynergyNet, TrainingPrediction
from backend.synergynet.weights import load_weights
from training.data.augmentation import (
    Augmentation,
    AugmentationSettings,
    to_network,
    unchanged,
    warp,
)
from training.data.packed import PackedBatch
from training.steps.averaging import warming_average
from training.steps.gradients import finite_gradients, restore_statistics
from training.steps.seeding import SeededSteps
from training.synergynet.data_module import PackedFacesModule, parameter_statistics
from training.synergynet.fused_norm import fuse
from training.synergynet.losses import LossWeights, synergy_losses
from training.synergynet.schedule import (
    OptimiserSettings,
    ResolutionStep,
    build_optimiser,
    resolution_at,
)
from training.synergynet.validation import ALL_NAMES, MeanErrors, add_photos, add_views

InnerPoints = Literal["annotated", "fitted"]


class SynergyModule(SeededSteps):
    """SynergyNet with its four losses.

    Parameters
    ----------
    architecture
        Parts of the network.
    loss_weights
        Weights of the joint loss.
    optimiser
        Which optimiser and learning-rate schedule.
    augmentation
        Ranges of the augmentation.
    resolutions
        Input sizes by progress of the training. The network is convolutional, and its early epochs
        learn as well from smaller pictures in less time.
    inner_points
        What the 51 inner landmarks are compared with in the image plane: the points that people
        annotated, where there are any, or those of the fitted model. The jaw is always that of the
        model, because annotated jaws of turned heads follow the silhouette.
    refine_from
        Share of the training after which landmarks are refined and read back. Until then the image
        network learns alone, with the coarse landmarks in place of the refined, in cheaper steps.
        Training in several processes then needs the strategy
        ``ddp_find_unused_parameters_true``.
    ema_decay
        Decay of the averaged weights, which are the ones validated and exported.
    weights
        Exported weights to start from, with their architecture and whitening; None starts anew.
    """

    def __init__(
        self,
        architecture: Architecture = Architecture(),  # noqa: B008
        loss_weights: LossWeights = LossWeights(),  # noqa: B008
        optimiser: OptimiserSettings = OptimiserSettings(),  # noqa: B008
        augmentation: AugmentationSettings = AugmentationSettings(),  # noqa: B008
        resolutions: tuple[ResolutionStep, ...] = (ResolutionStep(),),
        inner_points: InnerPoints = "annotated",
        refine_from: float = 0.0,
        ema_decay: float = 0.999,
        weights: Path | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(
            {"architecture": architecture.as_dict(), "loss_weights": asdict(loss_weights)}
        )
        self.loss_weights = loss_weights
        self.inner_points = inner_points
        self.refine_from = refine_from
        self.optimiser = optimiser
        self.resolutions = resolutions
        self.augmentation_settings = augmentation
        self.model = load_model()
        self.starts_anew = weights is None
        self.network = SynergyNet(architecture) if weights is None else load_weights(weights)
        self.network.train()
        self.network.attach(self.model)
        fuse(self.network)
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.averaged = AveragedModel(
            self.network, multi_avg_fn=warming_average(ema_decay), use_buffers=True
        )
        self.averaged.requires_grad_(False)
        # The last step that the averaged weights took in; of accumulated batches only one steps.
        self.averaged_step = 0
        self.errors = MeanErrors(ALL_NAMES)
        # A buffer, so that a resumed run goes on counting.
        self.register_buffer("skipped_steps", torch.zeros((), dtype=torch.long))

    skipped_steps: Tensor

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

    @property
    def refines(self) -> bool:
        """Whether the training has come to the refinement of landmarks."""
        return self.progress >= self.refine_from

    def training_step(self, batch: PackedBatch, batch_index: int) -> Tensor:
        if self.inner_points == "annotated":
            batch = with_annotated_points(batch)
        size = resolution_at(self.resolutions, self.progress)
        images, parameters, landmarks = self.augmentation(batch, size)
        images = images.contiguous(memory_format=torch.channels_last)
        losses = synergy_losses(
            self.network.training_forward(images)
            if self.refines
            else regress(self.network, images),
            self.network.decoder.whiten(parameters),
            landmarks,
            self.loss_weights.reverse_targets,
        )
        total = losses.total(self.loss_weights)
        self.log("train/loss", total, prog_bar=True)
        self.log_dict({f"train/{name}": value for name, value in vars(losses).items()})
        return total

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Leave out a step whose gradient is not finite: without gradients nothing moves."""
        if not finite_gradients(self.network):
            self.network.zero_grad(set_to_none=True)
            restore_statistics(self.network, self.averaged_network)
            self.skipped_steps += 1
            self.log("train/skipped_steps", self.skipped_steps.float())

    def on_train_batch_end(self, outputs: Any, batch: PackedBatch, batch_idx: int) -> None:
        if self.trainer.global_step > self.averaged_step:
            self.averaged.update_parameters(self.network)
            self.averaged_step = self.trainer.global_step

    def on_train_start(self) -> None:
        self.averaged_step = self.trainer.global_step

    def predict(self, batch: PackedBatch) -> Prediction:
        """What the averaged weights say of upright crops, at the size in use.

        A network that has seen small crops only would fail on full ones.
        """
        size = resolution_at(self.resolutions, self.progress)
        change = unchanged(len(batch.crops), batch.crops.device)
        with torch.autocast(batch.crops.device.type, enabled=False):
            images = to_network(warp(batch.crops, change, size))
        self.averaged.eval()
        with torch.no_grad():
            images = images.contiguous(memory_format=torch.channels_last)
            if self.refines:
                return self.averaged(images)
            return Prediction(*regress(self.averaged_network, images)[:4])

    def validation_step(
        self, batch: PackedBatch, batch_index: int, dataloader_idx: int = 0
    ) -> None:
        found = self.predict(batch)
        if dataloader_idx == 0:
            add_photos(self.errors, found.refined, found.coarse, batch.points)
        else:
            add_views(
                self.errors, found.refined, found.parameters, batch.landmarks, batch.parameters
            )

    def on_validation_epoch_end(self) -> None:
        totals = self.trainer.strategy.reduce(self.errors.totals(self.device), reduce_op="sum")
        for name, value in self.errors.means(totals).items():
            self.log(f"val/{name}", value, prog_bar=name.startswith("refined"), rank_zero_only=True)
        self.errors = MeanErrors(ALL_NAMES)

    def configure_optimizers(self) -> Any:
        steps = int(self.trainer.estimated_stepping_batches)
        epochs = self.trainer.max_epochs or 1
        fused = not str(self.trainer.precision).endswith("mixed")
        return build_optimiser(self.network, self.optimiser, steps, epochs, fused)


def regress(network: SynergyNet, images: Tensor) -> TrainingPrediction:
    """What the image network says by itself: the coarse landmarks are the answer."""
    _, whitened, parameters, coarse = network.regress(images)
    return TrainingPrediction(whitened, parameters, coarse, coarse, None)


def with_annotated_points(batch: PackedBatch) -> PackedBatch:
    """The batch with annotated inner points, where there are any, in place of the landmarks' x, y.

    The jaw (the first 17 landmarks) is left alone.
    """
    inner = batch.points[:, :, 17:]
    known = torch.isfinite(inner)
    landmarks = batch.landmarks.clone()
    landmarks[:, :2, 17:] = torch.where(known, inner, landmarks[:, :2, 17:])
    return batch._replace(landmarks=landmarks)
