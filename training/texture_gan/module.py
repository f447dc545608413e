"""Training of the texture GAN as a Lightning module."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from backend.texture.mean_face import read_mean_texture
from gan_texture.discriminator import PatchDiscriminator
from gan_texture.generator import Architecture, Generator, generator_input
from gan_texture.weights import load_generator
from training.steps.averaging import warming_average
from training.steps.gradients import finite_gradients, restore_statistics
from training.steps.half_precision import multiplies_bfloat16
from training.steps.seeding import SeededSteps
from training.texture_gan.data_module import PairBatch, TexturePairs
from training.texture_gan.lighting import LightingSettings, random_light, relight
from training.texture_gan.losses import (
    LossWeights,
    adversarial_loss,
    only_inside,
    patch_weights,
    reconstruction_loss,
    weighted_mean,
)
from training.texture_gan.occlusion import OcclusionSettings, occlude


@dataclass(frozen=True)
class AdamSettings:
    """Adam with a rate that falls to 0.

    Attributes
    ----------
    learning_rate
        Of both networks.
    betas
        Of Adam.
    decay_from
        Share of the training after which the rate falls linearly.
    """

    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    decay_from: float = 1 / 3


@dataclass(frozen=True)
class Views:
    """A batch as the networks see it: (N, ., S, S) pictures in [-1, 1], weights in [0, 1].

    `base` is what the generator adds to, `clear` the same with nothing before the face.
    """

    condition: Tensor
    base: Tensor
    clear: Tensor
    texture: Tensor
    mask: Tensor
    believed: Tensor


class TextureGanModule(SeededSteps):
    """Generator against discriminator.

    Parameters
    ----------
    architecture
        Of the generator.
    discriminator_width
        Channels after the discriminator's first convolution.
    loss_weights
        Weights of the generator's loss.
    optimiser
        Of both networks.
    lighting, occlusion
        Augmentation. Something may lie before a face that is given unwrapped, not before a photo.
    masked
        Only texels that the camera saw teach, and the discriminator sees the same picture outside
        of them from both sides. Else, as in the paper, the whole unwrapped photo is the truth;
        what is validated are texels that the camera saw all the same.
    narrow
        Compute in bfloat16 (the losses in float32), where the device has instructions for it.
    ema_decay
        Decay of the averaged generator, which is the one validated and exported.
    weights
        An exported generator to start from; None starts anew.
    """

    def __init__(
        self,
        architecture: Architecture = Architecture(),  # noqa: B008
        discriminator_width: int = 64,
        loss_weights: LossWeights = LossWeights(),  # noqa: B008
        optimiser: AdamSettings = AdamSettings(),
        lighting: LightingSettings = LightingSettings(),  # noqa: B008
        occlusion: OcclusionSettings = OcclusionSettings(),  # noqa: B008
        masked: bool = True,
        narrow: bool = False,
        ema_decay: float = 0.999,
        weights: Path | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.loss_weights = loss_weights
        self.optimiser = optimiser
        self.lighting = lighting
        self.occlusion = occlusion
        self.masked = masked
        self.narrow = narrow
        self.generator = Generator(architecture) if weights is None else load_generator(weights)
        self.generator.train()
        self.discriminator = PatchDiscriminator(6, discriminator_width)
        for network in (self.generator, self.discriminator):
            network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.averaged = AveragedModel(
            self.generator, multi_avg_fn=warming_average(ema_decay), use_buffers=True
        )
        self.averaged.requires_grad_(False)
        self.register_buffer("template", torch.zeros(3, 1, 1), persistent=False)

    template: Tensor

    @property
    def averaged_generator(self) -> Generator:
        """The generator with averaged weights."""
        generator = self.averaged.module
        assert isinstance(generator, Generator)
        return generator

    def setup(self, stage: str) -> None:
        """Take the template in the pairs' size."""
        data = getattr(self.trainer, "datamodule", None)
        if isinstance(data, TexturePairs):
            self.template = template_tensor(data.size).to(self.device)

    def training_step(self, batch: PairBatch, batch_index: int) -> None:
        generator_steps, discriminator_steps = self.optimizers()  # pyright: ignore
        views = self.views(batch, self.lighting, self.occlusion)
        if not self.masked:
            views = replace(views, mask=torch.ones_like(views.mask))
        with self._precision():
            made = self.generator(views.condition, views.base)
        made = made.float()

        discriminator_loss = self._discriminator_loss(views, made.detach())
        judged = self._step(discriminator_loss, self.discriminator, discriminator_steps)

        self.discriminator.requires_grad_(False)
        adversarial = self._judge(views, made, real=True)
        self.discriminator.requires_grad_(True)
        reconstruction = reconstruction_loss(
            made, views.texture, views.clear, views.mask, views.believed, self.loss_weights
        )
        loss = (
            self.loss_weights.adversarial * adversarial
            + self.loss_weights.reconstruction * reconstruction
        )
        learned = self._step(loss, self.generator, generator_steps)
        if learned:
            self.averaged.update_parameters(self.generator)
        else:
            # The discriminator's need no such care: it never leaves training, nobody reads them.
            restore_statistics(self.generator, self.averaged_generator)
        for schedule in self.lr_schedulers():  # pyright: ignore
            schedule.step()
        self.log("train/reconstruction", reconstruction, prog_bar=True)
        self.log_dict({"train/adversarial": adversarial, "train/discriminator": discriminator_loss})
        skipped = float(not (judged and learned))
        self.log("train/skipped_steps", skipped, on_step=False, on_epoch=True, reduce_fx="sum")

    def validation_step(self, batch: PairBatch, batch_index: int) -> None:
        views = self.views(batch)
        made = self.make(views)
        hidden = views.mask * (1 - views.believed)
        for name, picture in (("made", made), ("filled", views.base)):
            error = weighted_mean((picture - views.texture).abs() / 2, hidden)
            self.log(
                f"val/hidden_{name}",
                error,
                prog_bar=name == "made",
                batch_size=len(made),
                sync_dist=True,
            )

    def make(self, views: Views) -> Tensor:
        """(N, 3, S, S) textures by the averaged generator, in [-1, 1]."""
        self.averaged.eval()
        with torch.no_grad(), self._precision():
            return self.averaged(views.condition, views.base).float()

    def views(
        self,
        batch: PairBatch,
        lighting: LightingSettings = LightingSettings(),  # noqa: B008
        occlusion: OcclusionSettings = OcclusionSettings(),  # noqa: B008
    ) -> Views:
        """A batch as the networks see it, by default without augmentation."""
        photo, filled, believed, texture, mask = (field.float() / 255 for field in batch)
        light, field = random_light(len(photo), texture.shape[-1], lighting, photo.device)
        photo = 2 * relight(photo, light) - 1
        clear = relight(filled, light * field)
        filled = 2 * occlude(clear, believed, occlusion) - 1
        clear = 2 * clear - 1
        texture = 2 * relight(texture, light * field) - 1
        condition, base = generator_input(
            self.averaged_generator.architecture, photo, filled, believed, self.template
        )
        condition = condition.contiguous(memory_format=torch.channels_last)
        if self.averaged_generator.architecture.source == "photo":
            clear = base
        return Views(condition, base, clear, texture, mask, believed)

    def configure_optimizers(self) -> Any:
        settings = self.optimiser
        batches = max(1, int(self.trainer.estimated_stepping_batches))
        start = settings.decay_from * batches

        def factor(step: int) -> float:
            return 1 - max(0.0, step - start) / max(1.0, batches - start)

        optimisers = [
            torch.optim.Adam(network.parameters(), settings.learning_rate, settings.betas)
            for network in (self.generator, self.discriminator)
        ]
        schedules = [
            {"scheduler": LambdaLR(optimiser, factor), "interval": "step"}
            for optimiser in optimisers
        ]
        return optimisers, schedules

    def _discriminator_loss(self, views: Views, made: Tensor) -> Tensor:
        real = self._judge(views, views.texture, real=True)
        fake = self._judge(views, made, real=False)
        return (real + fake) / 2

    def _judge(self, views: Views, texture: Tensor, real: bool) -> Tensor:
        """Loss of a texture's scores against those of a real or a made one."""
        shown = only_inside(texture, views.clear, views.mask)
        # As in pix2pix, the judge sees what the generator was asked.
        pictures = torch.cat([views.condition[:, :3], shown], dim=1)
        with self._precision():
            scores = self.discriminator(pictures.contiguous(memory_format=torch.channels_last))
        scores = scores.float()
        return adversarial_loss(scores, patch_weights(views.mask, scores), real)

    def _precision(self) -> torch.autocast:
        narrow = self.narrow and multiplies_bfloat16(self.device)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=narrow)

    def _step(self, loss: Tensor, network: nn.Module, optimiser: LightningOptimizer) -> bool:
        """Let a network learn from a loss, unless a gradient is not finite; whether it has."""
        optimiser.zero_grad()
        self.manual_backward(loss)
        finite = finite_gradients(network)
        if finite:
            optimiser.step()
        return finite


def template_tensor(size: int) -> Tensor:
    """(3, size, size) float32 in [-1, 1], the mean face's texture."""
    mean = read_mean_texture(size)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(2 * mean - 1, -1, 0)))
