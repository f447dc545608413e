"""Losses in closed form, and the shipped command on a pack that the tests draw."""

from __future__ import annotations

import csv
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch

from backend.cli import main
from backend.synergynet.network import TrainingPrediction
from backend.synergynet.weights import SHIPPED_WEIGHTS, load_weights
from tests.training.callbacks import BrokenPicture
from training.evaluation.landmarks.nme import normalised_mean_error
from training.steps.averaging import warming_average
from training.synergynet.data_module import PackedFacesModule
from training.synergynet.losses import LossWeights, ReverseTargets, synergy_losses
from training.synergynet.module import SynergyModule
from training.synergynet.schedule import ResolutionStep, resolution_at

CONFIG = Path(__file__).parents[2] / "training" / "configs" / "synergynet"


def said(
    whitened: torch.Tensor, refined: torch.Tensor, read_back: torch.Tensor | None
) -> TrainingPrediction:
    """What a network might say; the losses do not look at the rest."""
    return TrainingPrediction(whitened, whitened, refined, refined, read_back)


def test_losses_in_closed_form() -> None:
    """Two faces: parameters off by 0.5 everywhere in one, landmarks off by 3 px in x in both."""
    truth = torch.zeros(2, 62)
    whitened = torch.stack([torch.full((62,), 0.5), torch.zeros(62)])
    landmarks = torch.zeros(2, 3, 68)
    refined = landmarks.clone()
    refined[:, 0] = 3.0
    losses = synergy_losses(said(whitened, refined, -whitened), truth, landmarks)
    assert losses.parameters.item() == pytest.approx(62 * 0.25 / 2)
    assert losses.landmarks.item() == pytest.approx(68 * (3 - 0.5))
    assert losses.reverse.item() == pytest.approx(62 * 0.25 / 2)
    assert losses.consistency.item() == pytest.approx(62 * 1.0 / 2)
    expected = 0.02 * 7.75 + 0.03 * 170 + 0.02 * 7.75 + 0.001 * 31
    assert losses.total(LossWeights()).item() == pytest.approx(expected)


def test_small_landmark_errors_count_quadratically() -> None:
    landmarks = torch.zeros(1, 3, 68)
    zero = torch.zeros(1, 62)
    losses = synergy_losses(said(zero, landmarks + 0.2, zero), zero, landmarks)
    assert losses.landmarks.item() == pytest.approx(3 * 68 * 0.5 * 0.04, rel=1e-5)


def test_only_the_opening_of_the_lips_counts_as_such() -> None:
    """A mouth that moved as a whole is no wider open; one whose lower lip fell by 3 px is."""
    landmarks, zero = torch.zeros(1, 3, 68), torch.zeros(1, 62)
    moved, open_lips = landmarks.clone(), landmarks.clone()
    moved[:, :2, 48:] = 5.0
    open_lips[:, 1, [65, 66, 67]] = -3.0
    for found, expected in ((moved, 0.0), (open_lips, 3 * 2.5)):
        losses = synergy_losses(said(zero, found, zero), zero, landmarks)
        assert losses.lips.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("targets", "reverse", "consistency"),
    [("pose", 12 * 4, 12 * 9), ("shape_expression", 50 * 9, 50 * 4), ("all", 498, 308)],
)
def test_reverse_losses_of_part_of_the_parameters(
    targets: ReverseTargets, reverse: float, consistency: float
) -> None:
    """Read back 2 above the truth in pose and 3 below in the rest; regressed 1 below throughout."""
    truth = torch.zeros(1, 62)
    read_back = torch.cat([torch.full((1, 12), 2.0), torch.full((1, 50), -3.0)], 1)
    landmarks = torch.zeros(1, 3, 68)
    prediction = said(truth - 1, landmarks, read_back)
    losses = synergy_losses(prediction, truth, landmarks, targets)
    assert losses.reverse.item() == reverse
    assert losses.consistency.item() == consistency
    assert losses.parameters.item() == 62


def test_without_a_reverse_network_two_losses_remain() -> None:
    landmarks = torch.zeros(1, 3, 68)
    zero = torch.zeros(1, 62)
    losses = synergy_losses(said(zero + 1, landmarks + 2, None), zero, landmarks)
    expected = 0.02 * 62 + 0.03 * 3 * 68 * 1.5
    assert losses.total(LossWeights()).item() == pytest.approx(expected)


def test_normalised_mean_error_in_closed_form() -> None:
    """A box of 90 x 40 pixels (size 60); the jaw is off by 6, the rest by 3 pixels."""
    truth = np.zeros((1, 68, 2))
    truth[0, 0] = [90, 0]
    truth[0, 1] = [0, 40]
    predicted = truth.copy()
    predicted[0, :17, 0] += 6
    predicted[0, 17:, 1] -= 3
    expected = 100 * (17 * 6 + 51 * 3) / 68 / 60
    assert normalised_mean_error(predicted, truth)[0] == pytest.approx(expected)
    assert normalised_mean_error(predicted, truth, "inner")[0] == pytest.approx(5.0)


def test_average_forgets_the_initial_weights() -> None:
    """The share of the initial weights is the product of the decays, min(0.999, (1+n)/(10+n))."""
    kept, new = [torch.zeros(1)], [torch.ones(1)]
    update = warming_average(0.999)
    remaining = 1.0
    for n in range(1, 200):
        update(kept, new, n)
        remaining *= min(0.999, (1 + n) / (10 + n))
    assert kept[0].item() == pytest.approx(1 - remaining)
    assert remaining < 1e-6


def test_resolution_steps() -> None:
    steps = (ResolutionStep(0.5, 96), ResolutionStep(0.0, 64), ResolutionStep(0.8, 120))
    assert [resolution_at(steps, p) for p in (0.0, 0.49, 0.5, 0.79, 0.8, 1.0)] == [
        64, 64, 96, 96, 120, 120,
    ]  # fmt: skip


def test_no_person_is_in_both_splits(small_pack: Path) -> None:
    data = PackedFacesModule(small_pack, batch_size=4, one_in=4)
    trained = set(data.labels.identities[data.training_indices])
    held_out = set(data.labels.identities[data.validation_indices])
    assert trained
    assert held_out
    assert not trained & held_out


@pytest.mark.parametrize("config", ["default", "paper"])
def test_the_shipped_command_trains_and_resumes(
    small_pack: Path, tmp_path: Path, config: str
) -> None:
    """One epoch, then a second from the checkpoint; the exported weights load and differ."""

    def train(epochs: int, *more: str) -> None:
        options = {
            "data.pack": small_pack,
            "data.batch_size": 8,
            # The paper's rate is for batches of 1024; the linear scaling rule for 8.
            "model.optimiser.learning_rate": 0.08 * 8 / 1024,
            "data.one_in": 4,
            "trainer.max_epochs": epochs,
            "trainer.check_val_every_n_epoch": 1,
            "trainer.default_root_dir": tmp_path,
            "trainer.logger.init_args.save_dir": tmp_path,
            "trainer.log_every_n_steps": 1,
            "trainer.accelerator": "cpu",
            "trainer.enable_progress_bar": "false",
        }
        arguments = [part for key, value in options.items() for part in (f"--{key}", str(value))]
        command = ["train", "synergynet", "--config", str(CONFIG / f"{config}.yaml")]
        assert main([*command, *arguments, *more]) == 0

    train(1)
    first = next(tmp_path.rglob("synergynet.safetensors"))
    before = load_weights(first).state_dict()["heads.pose.weight"]
    checkpoint = next(tmp_path.rglob("last.ckpt"))
    train(2, "--ckpt_path", str(checkpoint))
    second = max(tmp_path.rglob("synergynet.safetensors"), key=lambda p: p.stat().st_mtime)
    network = load_weights(second)
    assert not torch.equal(before, network.state_dict()["heads.pose.weight"])
    metrics = second.with_name("metrics.csv")
    rows = list(csv.DictReader(metrics.read_text().splitlines()))
    assert {row["epoch"] for row in rows} == {"1"}
    errors = [float(row["val/refined_all"]) for row in rows if row["val/refined_all"]]
    assert errors
    assert np.isfinite(errors).all()


@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_picture_that_is_not_finite_leaves_nothing_behind(
    small_pack: Path, accumulated: int
) -> None:
    """Neither in the weights nor in the statistics of normalisation; the other steps are made."""
    module = SynergyModule(weights=SHIPPED_WEIGHTS, resolutions=(ResolutionStep(0.0, 64),))
    trainer = L.Trainer(
        max_steps=3, limit_val_batches=0, accelerator="cpu", logger=False,
        accumulate_grad_batches=accumulated, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
        callbacks=[BrokenPicture("network", 1)],
    )  # fmt: skip
    before = module.network.state_dict()["heads.pose.weight"].clone()
    trainer.fit(module, PackedFacesModule(small_pack, batch_size=4, one_in=4, workers=0))
    assert module.skipped_steps == 1
    for name, tensor in module.state_dict().items():
        assert torch.isfinite(tensor).all(), name
    assert not torch.equal(before, module.network.state_dict()["heads.pose.weight"])
