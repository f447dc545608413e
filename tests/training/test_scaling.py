"""Trainings in several processes, in bf16, with accumulated gradients and with broken steps."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.synergynet.weights import SHIPPED_WEIGHTS

ROOT = Path(__file__).parents[2]
STILL = """
model:
  optimiser: {name: sgd, learning_rate: 0.0005, weight_decay: 0.0, schedule: steps}
  augmentation:
    rotation: 0.0
    scale: 0.0
    shift: 0.0
    flip: 0.0
    photometric: {brightness: 0.0, contrast: 0.0, saturation: 0.0, tint: 0.0, grey: 0.0,
      low_resolution: 0.0, blur: 0.0, noise: 0.0, occlusion: 0.0}
  resolutions: [{start: 0.0, size: 64}]
data: {one_in: 4, workers: 0, epoch_size: 24}
trainer:
  max_epochs: 2
  accelerator: cpu
  devices: 1
  log_every_n_steps: 1
  num_sanity_val_steps: 0
  enable_progress_bar: false
  callbacks:
    - class_path: tests.training.callbacks.FrozenNormalisation
    - class_path: training.synergynet.export.ExportWeights
    - class_path: training.synergynet.overlays.OverlayPictures
    - class_path: lightning.pytorch.callbacks.ModelCheckpoint
      init_args: {save_last: true}
"""


def train(folder: Path, pack: Path, *more: str) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    """Run the shipped command; returns the last validation and the network's weights."""
    folder.mkdir()
    config = folder / "still.yaml"
    logger = (
        "  logger:\n    class_path: lightning.pytorch.loggers.CSVLogger\n"
        f"    init_args: {{save_dir: '{folder.as_posix()}', name: run}}\n"
    )
    config.write_text(STILL + logger)
    command = [
        *(sys.executable, "-m", "backend.cli", "train", "synergynet"),
        *("--config", str(config), "--data.pack", str(pack)),
        *("--model.weights", str(SHIPPED_WEIGHTS), "--trainer.default_root_dir", str(folder)),
        *more,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NCCL_DEBUG": "ERROR"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    run = folder / "run" / "version_0"
    assert (run / "synergynet.safetensors").is_file()
    assert list((run / "overlays").iterdir())
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    last = [row for row in rows if row.get("val/refined_all")][-1]
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=False)
    weights = {
        name: tensor
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith("network.") or name == "skipped_steps"
    }
    metrics = {
        name: float(value) for name, value in last.items() if name.startswith("val/") and value
    }
    return metrics, weights


@pytest.fixture(scope="module")
def alone(
    small_pack: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    """One process, batches of 8."""
    folder = tmp_path_factory.mktemp("scaling") / "alone"
    return train(folder, small_pack, "--data.batch_size", "8")


def assert_same(
    found: tuple[dict[str, float], dict[str, torch.Tensor]],
    expected: tuple[dict[str, float], dict[str, torch.Tensor]],
    tolerance: float,
) -> None:
    assert found[0].keys() == expected[0].keys()
    assert len(found[0]) >= 4
    for name, value in expected[0].items():
        assert found[0][name] == pytest.approx(value, rel=tolerance), name
    moved = [
        float((found[1][name] - tensor).abs().max())
        for name, tensor in expected[1].items()
        if tensor.is_floating_point()
    ]
    assert max(moved) < tolerance


def test_two_processes_do_what_one_does(
    small_pack: Path,
    tmp_path: Path,
    alone: tuple[dict[str, float], dict[str, torch.Tensor]],
) -> None:
    """Two gloo processes with batches of 4: the same weights and the same metrics."""
    both = train(
        tmp_path / "two",
        small_pack,
        *("--data.batch_size", "4", "--trainer.devices", "2", "--trainer.strategy", "ddp"),
    )
    assert_same(both, alone, 1e-3)


def test_accumulated_gradients_do_what_a_large_batch_does(
    small_pack: Path,
    tmp_path: Path,
    alone: tuple[dict[str, float], dict[str, torch.Tensor]],
) -> None:
    halves = train(
        tmp_path / "halves",
        small_pack,
        *("--data.batch_size", "4", "--trainer.accumulate_grad_batches", "2"),
    )
    assert_same(halves, alone, 1e-3)


def test_bf16_measures_as_single_precision_does(small_pack: Path, tmp_path: Path) -> None:
    """The steps are so small that both trainings end with the weights that they start from."""
    options = ("--data.batch_size", "8", "--model.optimiser.learning_rate", "1e-9")
    # As default.yaml clips: a fused optimiser would refuse this with mixed precision.
    options += ("--trainer.gradient_clip_val", "100")
    exact, _ = train(tmp_path / "exact", small_pack, *options)
    metrics, weights = train(
        tmp_path / "bf16", small_pack, *options, "--trainer.precision", "bf16-mixed"
    )
    assert all(bool(torch.isfinite(t).all()) for t in weights.values())
    compared = [name for name in exact if name.startswith("val/coarse")]
    assert compared
    for name in compared:
        assert metrics[name] == pytest.approx(exact[name], rel=0.01), name


def test_a_step_that_is_not_finite_is_left_out_and_counted(
    small_pack: Path,
    tmp_path: Path,
    alone: tuple[dict[str, float], dict[str, torch.Tensor]],
) -> None:
    callback = "tests.training.callbacks.PoisonedGradient"
    _, weights = train(
        tmp_path / "poisoned",
        small_pack,
        *("--data.batch_size", "8", "--trainer.callbacks+", callback),
        *("--trainer.callbacks.step", "1"),
    )
    assert weights["skipped_steps"].item() == 1
    assert alone[1]["skipped_steps"].item() == 0
    assert all(bool(torch.isfinite(t).all()) for t in weights.values())
    away = [float((weights[name] - t).abs().max()) for name, t in alone[1].items() if t.ndim > 1]
    assert np.max(away) > 1e-7


def test_two_processes_leave_out_the_same_steps(small_pack: Path, tmp_path: Path) -> None:
    """A picture of the second process is broken: neither learns from that step.

    What is random differs all the while.
    """
    _, weights = train(
        tmp_path / "broken",
        small_pack,
        *("--data.batch_size", "4", "--trainer.devices", "2", "--trainer.strategy", "ddp"),
        *("--trainer.callbacks+", "tests.training.callbacks.SameWeights"),
        *("--trainer.callbacks+", "tests.training.callbacks.DifferentDraws"),
        *("--trainer.callbacks+", "tests.training.callbacks.BrokenPicture"),
        *("--trainer.callbacks.network", "network", "--trainer.callbacks.step", "1"),
        *("--trainer.callbacks.rank", "1"),
    )
    assert weights["skipped_steps"].item() == 1
    assert all(bool(torch.isfinite(t).all()) for t in weights.values())
