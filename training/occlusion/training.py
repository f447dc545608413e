"""Training of the cover network on one processor core, in half an hour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from backend.data_folder import atomic_path
from backend.texture.covers.finding import SIZE
from backend.texture.covers.network import CoverNetwork, save_covers
from backend.texture.mean_face import read_mean_texture
from training.occlusion.drawing import Float, Places
from training.occlusion.samples import Faces, sample

WIDTHS = (16, 32, 64, 96)
# Weight of texels outside of the face's middle, where unlabelled hair and cloth are common.
OUTSIDE = 0.25
# Weight of texels that the camera sees worse than this is 0.
HARDLY_SEEN = 0.05
# Share of the average that a step leaves.
AVERAGING = 0.997


@dataclass(frozen=True)
class CoverTraining:
    """How the network is trained.

    Attributes
    ----------
    steps
        How many batches.
    batch
        Faces in each.
    learning_rate
        Its highest value.
    seed
        Of all that is random.
    """

    steps: int = 4000
    batch: int = 16
    learning_rate: float = 3e-3
    seed: int = 0


def train(
    faces: Faces, places: Places, middle: Float, target: Path, settings: CoverTraining
) -> list[float]:
    """Train a network, and write its averaged weights.

    Parameters
    ----------
    middle
        (SIZE, SIZE) 1 in the middle of the face and on its forehead.

    Returns
    -------
    The loss at every step.
    """
    torch.manual_seed(settings.seed)
    network = CoverNetwork(torch.from_numpy(read_mean_texture(SIZE)), WIDTHS)
    average = get_ema_multi_avg_fn(AVERAGING)
    averaged = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.08
    )
    core = torch.from_numpy(np.clip(OUTSIDE + middle, 0, 1))
    losses = []
    batches = _batches(faces, places, settings)
    for _ in tqdm(range(settings.steps), unit="step", disable=None):
        colors, seen, covered = next(batches)
        weight = seen * core * (seen > HARDLY_SEEN)
        loss = F.binary_cross_entropy_with_logits(network(colors, seen), covered, reduction="none")
        loss = (loss * weight).sum() / weight.sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
        losses.append(float(loss.detach()))
    with atomic_path(target) as temporary:
        save_covers(averaged.module.state_dict(), WIDTHS, temporary)
    return losses


def _batches(
    faces: Faces, places: Places, settings: CoverTraining
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    random = np.random.default_rng(settings.seed)
    while True:
        rows = random.integers(len(faces), size=settings.batch)
        made = [sample(faces, int(row), places, random) for row in rows]
        colors, seen, covered = (
            torch.from_numpy(np.stack(part).astype(np.float32)) for part in zip(*made, strict=True)
        )
        yield colors, seen, covered
