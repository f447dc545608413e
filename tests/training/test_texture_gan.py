"""Losses of the texture GAN in closed form, and its training on pairs that the tests draw."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from backend.cli import main
from backend.texture import generator as texture_network
from gan_texture.discriminator import PATCH, PatchDiscriminator
from gan_texture.generator import Architecture, Generator, generator_input
from gan_texture.inference import SIZE, TorchGenerator
from gan_texture.weights import load_generator, save_generator
from tests.training import drawn_pairs
from tests.training.callbacks import BrokenPicture
from training.data.held_out import is_held_out
from training.texture_gan.callbacks import ExportGenerator
from training.texture_gan.data_module import PairBatch, TexturePairs
from training.texture_gan.losses import (
    LossWeights,
    adversarial_loss,
    only_inside,
    patch_weights,
    reconstruction_loss,
)
from training.texture_gan.module import TextureGanModule
from training.texture_gan.occlusion import OcclusionSettings, occlude

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "training" / "configs" / "texture_gan"
SMALL = Architecture("texture", width=8, levels=4, dropout=0.0)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_pairs.write_pairs(tmp_path_factory.mktemp("pairs"))


def some(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_least_squares_in_closed_form() -> None:
    """Scores of 0.5 and 3, of which only the first counts."""
    scores = torch.tensor([0.5, 3.0]).reshape(1, 1, 1, 2)
    weights = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 2)
    assert adversarial_loss(scores, weights, real=True).item() == pytest.approx(0.25)
    assert adversarial_loss(scores, 1 - weights, real=True).item() == pytest.approx(4)
    assert adversarial_loss(scores, weights + 1, real=False).item() == pytest.approx(
        (2 * 0.25 + 9) / 3
    )


def test_reconstruction_in_closed_form() -> None:
    """Four texels: known and seen, off by 0.1; known and hidden, off by 0.2; two unknown."""
    truth, base = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)
    made = torch.tensor([[0.1, 0.2], [0.9, 0.7]]).expand(1, 3, 2, 2)
    mask = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).reshape(1, 1, 2, 2)
    confidence = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).reshape(1, 1, 2, 2)

    def loss(**weights: float) -> float:
        settings = LossWeights(**weights)
        return reconstruction_loss(made, truth, base, mask, confidence, settings).item()

    assert loss() == pytest.approx((0.1 + 0.2) / 2)
    assert loss(hidden=3.0) == pytest.approx((0.1 + 4 * 0.2) / 5)
    assert loss(unknown=0.5) == pytest.approx((0.1 + 0.2) / 2 + 0.5 * (0.4 + 0.2) / 2)


def test_truth_outside_of_the_mask_does_not_matter() -> None:
    made, truth, base = some(2, 3, 8, 8), some(2, 3, 8, 9)[..., :8], some(2, 3, 9, 8)[:, :, :8]
    mask = (some(2, 1, 8, 8) > 0.5).float()
    other = torch.where(mask > 0, truth, 1 - truth)
    assert not torch.equal(other, truth)
    losses = [
        reconstruction_loss(made, t, base, mask, mask, LossWeights(hidden=2.0, unknown=0.3))
        for t in (truth, other)
    ]
    assert losses[0] == losses[1]
    assert torch.equal(only_inside(truth, base, mask), only_inside(other, base, mask))


def test_patches_count_by_what_is_known_of_them() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    weights = patch_weights(mask, torch.zeros(1, 1, 8, 8))
    assert torch.equal(weights[0, 0, 0], torch.tensor([1.0, 1, 1, 1, 0, 0, 0, 0]))


def test_a_score_sees_seventy_texels() -> None:
    """The receptive field by its gradient: that of a score in the middle."""
    network = PatchDiscriminator(6, 4).eval()
    pictures = some(1, 6, 256, 256).requires_grad_()
    network(pictures)[0, 0, 15, 15].backward()
    assert pictures.grad is not None
    rows = torch.nonzero(pictures.grad.abs().sum(dim=(0, 1, 3)))
    assert int(rows.max() - rows.min()) + 1 == PATCH


def test_an_untrained_generator_adds_nothing() -> None:
    filled, confidence = 2 * some(2, 3, 64, 64) - 1, some(2, 1, 64, 64)
    template = some(3, 64, 64)
    given = generator_input(SMALL, filled, filled, confidence, template)
    assert given[0].shape[1] == SMALL.in_channels == 7
    torch.testing.assert_close(Generator(SMALL).eval()(*given), filled)


def test_without_the_template_nothing_of_it_comes_in() -> None:
    """Hidden texels of `filled` are made from the template: they must not reach the network."""
    plain = Architecture("texture", template=False, width=8, levels=4, dropout=0.0)
    filled, confidence = some(1, 3, 64, 64), (some(1, 1, 64, 64) > 0.5).float()
    other = torch.where(confidence > 0, filled, 1 - filled)
    network = Generator(plain).eval()
    made = [
        network(*generator_input(plain, f, f, confidence, t))
        for f, t in ((filled, some(3, 64, 64)), (other, -some(3, 64, 64)))
    ]
    assert torch.equal(made[0], made[1])


def test_occlusion_stays_where_the_view_believes_or_mirrors() -> None:
    torch.manual_seed(0)
    filled = torch.full((4, 3, 32, 32), 0.5)
    confidence = torch.zeros(4, 1, 32, 32)
    confidence[..., :8] = 1
    assert torch.equal(occlude(filled, confidence, OcclusionSettings()), filled)
    covered = occlude(filled, confidence, OcclusionSettings(share=1.0, least=-1, most=-1))
    changed = (covered != filled).any(dim=1)
    assert changed[..., :8].any() and changed[..., -8:].any()
    assert not changed[..., 8:-8].any()


class Overheard(L.Callback):
    """Keeps what the discriminator is shown in the first step."""

    def __init__(self) -> None:
        self.shown: list[torch.Tensor] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, TextureGanModule)
        pl_module.discriminator.register_forward_pre_hook(
            lambda _, pictures: self.shown.append(pictures[0].detach().clone())
        )


def test_the_discriminator_sees_the_same_outside_of_the_mask(pairs: Path) -> None:
    """The drawn masks leave out a border of four texels."""
    data = TexturePairs(pairs, batch_size=4, one_in=4)
    module = TextureGanModule(SMALL, 8)
    with torch.no_grad():
        module.generator.head[-1].bias += 0.3  # pyright: ignore
    overheard = Overheard()
    trainer = L.Trainer(
        fast_dev_run=1, accelerator="cpu", callbacks=[overheard], enable_progress_bar=False,
        enable_model_summary=False, logger=False,
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    real, made = (pictures[:, 3:] for pictures in overheard.shown[:2])
    inside = torch.zeros(64, 64, dtype=torch.bool)
    inside[4:-4, 4:-4] = True
    assert torch.equal(real[..., ~inside], made[..., ~inside])
    assert (real - made)[..., inside].abs().mean() > 0.1


def test_no_person_is_in_both_splits(pairs: Path) -> None:
    data = TexturePairs(pairs, batch_size=4, one_in=4)
    people = np.array([f"person{index // 2:02d}" for index in range(24)])
    trained, held_out = set(people[data.training_rows]), set(people[data.validation_rows])
    assert trained and held_out and not trained & held_out
    assert all(is_held_out(name, 4) for name in held_out)
    assert set(data.validation_items % drawn_pairs.VIEWS) == {2}


def options(pairs: Path, folder: Path, epochs: int) -> list[str]:
    """Of the command, for a training that ends soon."""
    chosen = {
        "model.architecture.width": 8,
        "model.architecture.levels": 4,
        "model.discriminator_width": 8,
        "data.folder": pairs,
        "data.batch_size": 4,
        "data.one_in": 4,
        "trainer.max_epochs": epochs,
        "trainer.limit_train_batches": 2,
        "trainer.check_val_every_n_epoch": 1,
        "trainer.default_root_dir": folder,
        "trainer.logger.init_args.save_dir": folder,
        "trainer.log_every_n_steps": 1,
        "trainer.accelerator": "cpu",
        "trainer.enable_progress_bar": "false",
    }
    return [part for key, value in chosen.items() for part in (f"--{key}", str(value))]


@pytest.mark.parametrize("config", ["default", "paper"])
def test_the_shipped_command_trains_and_resumes(pairs: Path, tmp_path: Path, config: str) -> None:
    """Two steps, then two more; what is exported is the average, in half precision."""
    command = ["train", "texture-gan", "--config", str(CONFIG / f"{config}.yaml")]
    assert main([*command, *options(pairs, tmp_path, 1)]) == 0
    checkpoint = next(tmp_path.rglob("last.ckpt"))
    stored = torch.load(checkpoint, weights_only=False)
    assert stored["global_step"] > 0
    prefix = "averaged.module."
    average = {
        name.removeprefix(prefix): tensor
        for name, tensor in stored["state_dict"].items()
        if name.startswith(prefix)
    }
    exported = load_generator(next(tmp_path.rglob("generator.safetensors"))).state_dict()
    assert exported.keys() == average.keys()
    for name, tensor in average.items():
        torch.testing.assert_close(exported[name], tensor, rtol=1e-3, atol=1e-6)
    own = stored["state_dict"]["generator.head.1.weight"]
    assert not torch.equal(average["head.1.weight"], own)

    assert main([*command, *options(pairs, tmp_path, 2), "--ckpt_path", str(checkpoint)]) == 0
    newest = max(tmp_path.rglob("generator.safetensors"), key=lambda path: path.stat().st_mtime)
    assert not torch.equal(
        load_generator(newest).state_dict()["head.1.weight"], exported["head.1.weight"]
    )
    rows = list(csv.DictReader(newest.with_name("metrics.csv").read_text().splitlines()))
    assert {row["epoch"] for row in rows} == {"1"}
    errors = [float(row["val/hidden_made"]) for row in rows if row["val/hidden_made"]]
    assert errors and np.isfinite(errors).all()
    sheet = Image.open(newest.parent / "samples" / "epoch-001.png")
    assert sheet.width == 5 * drawn_pairs.SIZE and sheet.height % drawn_pairs.SIZE == 0


def test_training_learns_what_is_drawn(pairs: Path, tmp_path: Path) -> None:
    """Hidden halves are guessed at half their light: the error of that falls by a third."""
    torch.manual_seed(0)
    module = TextureGanModule(SMALL, 8, LossWeights(hidden=3.0), ema_decay=0.9)
    module.optimiser = type(module.optimiser)(learning_rate=4e-3)
    trainer = L.Trainer(
        max_epochs=8, accelerator="cpu", enable_progress_bar=False, logger=False,
        enable_checkpointing=False, enable_model_summary=False, default_root_dir=tmp_path,
        callbacks=[ExportGenerator(tmp_path / "generator.safetensors")],
    )  # fmt: skip
    trainer.fit(module, datamodule=TexturePairs(pairs, batch_size=4, one_in=4))
    made, filled = (trainer.callback_metrics[f"val/hidden_{k}"] for k in ("made", "filled"))
    assert made < 0.67 * filled
    load_generator(tmp_path / "generator.safetensors")


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    generator = Generator(SMALL).eval()
    save_generator(generator, tmp_path / "whole.safetensors", half=False)
    again = load_generator(tmp_path / "whole.safetensors")
    assert again.architecture == SMALL
    for name, tensor in generator.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


@pytest.mark.parametrize("content", [b"", b"not a safetensors file", None])
def test_damaged_weights_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "generator.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"\w"):
        load_generator(path)


@pytest.mark.parametrize("source", ["photo", "texture"])
def test_both_engines_make_the_same_texture(tmp_path: Path, source: str) -> None:
    architecture = Architecture(source, width=8, levels=5)  # pyright: ignore[reportArgumentType]
    generator = Generator(architecture)
    with torch.no_grad():
        generator.head[-1].weight += 0.05 * some(*generator.head[-1].weight.shape)  # pyright: ignore
    path = tmp_path / "generator.safetensors"
    save_generator(generator, path)
    random = np.random.default_rng(1)
    photo, filled = random.random((2, SIZE, SIZE, 3), np.float32)
    template = texture_network.read_mean_texture(SIZE)
    confidence = random.random((SIZE, SIZE), np.float32)
    with_torch = TorchGenerator(path, template, "cpu").make(photo, filled, confidence)
    with_onnx = texture_network.load_texture_generator(weights=path).make(photo, filled, confidence)
    np.testing.assert_allclose(with_onnx, with_torch, atol=1e-3)
    assert np.abs(with_torch - filled).mean() > 0.01


def fit_small(pairs: Path, module: TextureGanModule, *callbacks: L.Callback, steps: int) -> None:
    trainer = L.Trainer(
        max_epochs=1, limit_train_batches=steps, limit_val_batches=0, accelerator="cpu",
        callbacks=list(callbacks), enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, logger=False,
    )  # fmt: skip
    trainer.fit(module, datamodule=TexturePairs(pairs, batch_size=4, one_in=4))


def test_a_picture_that_is_not_finite_leaves_nothing_behind(pairs: Path) -> None:
    """In such a step neither network moves; other steps are made."""
    spoilt, both = TextureGanModule(SMALL, 8), TextureGanModule(SMALL, 8)
    start = {name: tensor.clone() for name, tensor in spoilt.state_dict().items()}
    fit_small(pairs, spoilt, BrokenPicture("generator", 0), steps=1)
    for name, tensor in spoilt.named_parameters():
        assert torch.equal(tensor, start[name]), name
    fit_small(pairs, both, BrokenPicture("generator", 1), steps=3)
    for name, tensor in both.state_dict().items():
        assert name.startswith("discriminator.") or torch.isfinite(tensor).all(), name
    assert all(torch.isfinite(tensor).all() for tensor in both.parameters())
    assert int(both.averaged.n_averaged) == 2


def test_without_people_held_out_the_last_weights_are_written(pairs: Path, tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    trainer = L.Trainer(
        max_epochs=1, limit_train_batches=1, accelerator="cpu", callbacks=[ExportGenerator(path)],
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        logger=False, default_root_dir=tmp_path,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="Nothing is validated"):
        trainer.fit(TextureGanModule(SMALL, 8), TexturePairs(pairs, batch_size=4, one_in=10**9))
    load_generator(path)


def test_only_what_is_known_is_validated(pairs: Path) -> None:
    """Also where all texels teach: textures that differ outside of their masks err the same."""
    data = TexturePairs(pairs, batch_size=4, one_in=4)
    batch = next(iter(data.val_dataloader()))
    outside = batch.mask.expand_as(batch.texture) == 0
    assert outside.any()
    other = batch._replace(texture=torch.where(outside, 255 - batch.texture, batch.texture))
    module = TextureGanModule(SMALL, 8, masked=False)
    trainer = L.Trainer(logger=False, accelerator="cpu", enable_progress_bar=False)

    def error(views: PairBatch) -> float:
        loader = DataLoader([views], batch_size=None)  # pyright: ignore[reportArgumentType]
        return trainer.validate(module, loader, verbose=False)[0]["val/hidden_made"]

    assert error(batch) == error(other) > 0


@pytest.mark.parametrize("able", [True, False])
def test_half_precision_where_it_is_fast(
    pairs: Path, monkeypatch: pytest.MonkeyPatch, able: bool
) -> None:
    monkeypatch.setattr(
        "torch.cpu.get_capabilities", lambda: {"avx2": True, "avx512_bf16": able}, raising=False
    )
    module = TextureGanModule(SMALL, 8, narrow=True)
    module.template = torch.zeros(3, 1, 1)
    kinds = []
    first = module.averaged_generator.encoder[0]
    first.register_forward_hook(lambda layer, given, made: kinds.append(made.dtype))
    batch = next(iter(TexturePairs(pairs, batch_size=4, one_in=4).val_dataloader()))
    assert module.make(module.views(batch)).dtype == torch.float32
    assert kinds == [torch.bfloat16 if able else torch.float32]


def run_two_processes(pairs: Path, folder: Path, *more: str) -> str:
    """What a training in two gloo processes prints."""
    command = [
        *(sys.executable, "-m", "backend.cli", "train", "texture-gan"),
        *("--config", str(CONFIG / "default.yaml"), *options(pairs, folder, 1)),
        *("--trainer.devices", "2", "--trainer.strategy", "ddp_find_unused_parameters_true"),
        *("--trainer.callbacks+", "tests.training.callbacks.SameWeights", *more),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_two_processes_keep_the_same_weights(pairs: Path, tmp_path: Path) -> None:
    """Two gloo processes that see different views: averaged gradients, one set of weights."""
    different = ("--trainer.callbacks+", "tests.training.callbacks.DifferentDraws")
    printed = run_two_processes(pairs, tmp_path, *different)
    assert "weights of 2 processes compared" in printed


def test_two_processes_leave_out_the_same_steps(pairs: Path, tmp_path: Path) -> None:
    """A picture of the second process is broken: neither learns from that step."""
    printed = run_two_processes(
        pairs,
        tmp_path,
        *("--trainer.callbacks+", "tests.training.callbacks.BrokenPicture"),
        *("--trainer.callbacks.network", "generator", "--trainer.callbacks.step", "1"),
        *("--trainer.callbacks.rank", "1"),
    )
    assert "weights of 2 processes compared" in printed
    (last,) = tmp_path.rglob("last.ckpt")
    state = torch.load(last, weights_only=False)["state_dict"]
    assert int(state["averaged.n_averaged"]) == 1
    (metrics,) = tmp_path.rglob("metrics.csv")
    rows = list(csv.DictReader(metrics.read_text().splitlines()))
    assert [float(r["train/skipped_steps"]) for r in rows if r["train/skipped_steps"]] == [1]
