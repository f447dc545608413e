"""Order of the faces: weights, shares of a distributed run, readers, and interrupted epochs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from backend.errors import BadInputError
from training.data.held_out import is_held_out
from training.data.packed import PackedBatch, PackedFaces
from training.data.sampling import EpochSampler, draw, face_weights
from training.data.shards import Labels, read_index, write_index
from training.steps.seeding import SeededSteps
from training.synergynet.data_module import PackedFacesModule, shared_shapes


def test_equal_weights_show_every_face_once() -> None:
    order = draw(np.full(999, 0.3), 999, np.random.default_rng(0))
    assert sorted(order) == list(range(999))
    assert np.abs(np.corrcoef(order, np.arange(999))[0, 1]) < 0.1


def test_faces_come_as_often_as_their_weights_say() -> None:
    """Weights 1, 2, 5 and 0 of 400 faces: 800 draws are 1, 2, 5 and 0 times each."""
    weights = np.repeat([1.0, 2.0, 5.0, 0.0], 100)
    times = np.bincount(draw(weights, 800, np.random.default_rng(1)), minlength=400)
    assert np.array_equal(times, weights)
    half = np.bincount(draw(weights, 400, np.random.default_rng(1)), minlength=400)
    assert half.sum() == 400
    assert np.abs(half - weights / 2).max() < 1


def _labels(yaws: list[float], sources: list[str]) -> Labels:
    angle = np.radians(yaws)
    zero, one = np.zeros(len(yaws)), np.ones(len(yaws))
    rows = [np.cos(angle), zero, -np.sin(angle), zero, zero, one, zero, zero]
    parameters = np.zeros((len(yaws), 62), np.float32)
    parameters[:, :8] = np.stack(rows, axis=1)
    text = np.array(sources)
    landmarks = np.zeros((len(yaws), 3, 68), np.float32)
    return Labels(text, text, text, parameters, landmarks, landmarks[:, :2])


def test_balanced_yaw_and_weighted_sources() -> None:
    """Three frontal faces and one at 80 degrees; then the second source counts twice."""
    labels = _labels([0, 5, -10, -80], ["a", "a", "b", "b"])
    assert np.allclose(face_weights(labels, {}, 0.0), 1)
    balanced = face_weights(labels, {}, 1.0)
    assert balanced / balanced.sum() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])
    assert face_weights(labels, {"b": 2.0}, 0.0) == pytest.approx([1, 1, 2, 2])
    assert face_weights(labels, {"a": 0.0}, 1.0)[:2] == pytest.approx([0, 0])
    with pytest.raises(BadInputError, match="no faces of c"):
        face_weights(labels, {"c": 1.0}, 0.0)
    with pytest.raises(BadInputError, match="negative"):
        face_weights(labels, {"a": -1.0}, 0.0)


def test_fitted_shapes_of_a_person_come_together_and_drawn_ones_stay() -> None:
    """Two people; the first has photos with shapes 1 and 3, a view with 3, and a drawn head with 9.

    Half the way to the mean (1 + 3 + 3) / 3 from 1 is 5/3, from 3 it is 8/3.
    """
    labels = _labels([0] * 5, ["photos", "photos", "views", "heads", "photos"])
    labels = replace(labels, identities=np.array(["ann", "ann", "ann", "ann", "bob"]))
    labels.parameters[:, 12:52] = np.array([1, 3, 3, 9, 4])[:, None]
    labels.parameters[:, 52:] = 7
    shared = shared_shapes(labels, 0.5, ("heads",)).parameters
    expected = np.array([5 / 3, 8 / 3, 8 / 3, 9, 4])
    assert np.allclose(shared[:, 12:52], expected[:, None])
    assert np.array_equal(shared[:, :12], labels.parameters[:, :12])
    assert (shared[:, 52:] == 7).all()
    everything = shared_shapes(labels, 1.0).parameters
    assert np.allclose(everything[:, 12], [4, 4, 4, 4, 4])


@pytest.mark.parametrize("option", ["view_sources", "drawn_sources"])
def test_sources_that_are_not_packed_are_named(small_pack: Path, option: str) -> None:
    with pytest.raises(BadInputError, match="no faces of heads"):
        PackedFacesModule(small_pack, one_in=4, **{option: ("dots", "heads")})  # pyright: ignore[reportArgumentType]


def test_machines_share_the_batches_of_one(small_pack: Path) -> None:
    """Batch k of two machines together is batch k of one with twice the size."""
    faces = PackedFaces(small_pack, np.arange(40))
    weights = np.linspace(1, 3, 40)

    def order(rank: int, world_size: int) -> list[int]:
        sampler = EpochSampler(faces, weights, 32, 7, rank, world_size)
        sampler.set_epoch(3)
        assert len(sampler) == 32 // world_size
        return list(sampler)

    one, first, second = order(0, 1), order(0, 2), order(1, 2)
    for start in range(0, 16, 4):
        together = first[start : start + 4] + second[start : start + 4]
        assert sorted(together) == sorted(one[2 * start : 2 * start + 8])


def test_validation_is_shared_without_repeats(small_pack: Path) -> None:
    faces = PackedFaces(small_pack, np.arange(7))
    shares = [list(EpochSampler(faces, rank=rank, world_size=2)) for rank in (0, 1)]
    assert shares == [[0, 2, 4, 6], [1, 3, 5]]
    assert list(EpochSampler(faces)) == list(range(7))


def _rows(pack: Path, batches: Any) -> list[list[int]]:
    """Which faces of the pack batches hold, by their parameters."""
    known = {p.tobytes(): row for row, p in enumerate(read_index(pack).labels.parameters)}
    return [[known[p.tobytes()] for p in batch.parameters.numpy()] for batch in batches]


def test_the_order_does_not_depend_on_the_readers(small_pack: Path) -> None:
    def epochs(workers: int, seed: int = 1) -> list[list[list[int]]]:
        data = PackedFacesModule(small_pack, batch_size=4, one_in=4, workers=workers, seed=seed)
        loader = data.train_dataloader()
        found = []
        for epoch in (0, 1):
            loader.order.set_epoch(epoch)
            found.append(_rows(small_pack, loader))
        return found

    alone = epochs(0)
    assert alone == epochs(2)
    assert alone[0] != alone[1]
    assert alone != epochs(0, seed=2)


class _Recorder(SeededSteps):
    """Trains one number, and notes the faces of every step, and what was drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.number = torch.nn.Parameter(torch.zeros(1))
        self.batches: list[PackedBatch] = []
        self.drawn: list[float] = []

    def training_step(self, batch: PackedBatch, batch_index: int) -> torch.Tensor:
        self.batches.append(batch)
        self.drawn.append(torch.rand(()).item())
        return (self.number * batch.parameters.mean()).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("steps", [2, 7, 10])
def test_an_interrupted_run_goes_on_in_the_same_order(
    small_pack: Path, tmp_path: Path, workers: int, steps: int
) -> None:
    """Three epochs of five steps, once in one go, once stopped after some and resumed."""

    def run(folder: str, max_steps: int = -1, resume: Path | None = None) -> list[Any]:
        """Faces of every step, and a number that was drawn in it."""
        data = PackedFacesModule(
            small_pack, batch_size=4, one_in=4, workers=workers, epoch_size=20, yaw_balance=0.5
        )
        trainer = L.Trainer(
            max_epochs=3,
            max_steps=max_steps,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
            callbacks=[ModelCheckpoint(tmp_path / folder, save_last=True, every_n_train_steps=1)],
        )
        recorder = _Recorder()
        torch.manual_seed(3)
        trainer.fit(recorder, data, ckpt_path=resume)
        return list(zip(_rows(small_pack, recorder.batches), recorder.drawn, strict=True))

    whole = run("whole")
    assert len(whole) == 15
    assert len({drawn for _, drawn in whole}) == 15
    stopped = run("stopped", steps)
    assert stopped == whole[:steps]
    assert run("resumed", resume=tmp_path / "stopped" / "last.ckpt") == whole[steps:]


def test_views_of_people_held_out_never_enter_training(small_pack: Path, tmp_path: Path) -> None:
    """A second source shows the same people in made views, without annotated points."""
    copy = tmp_path / "pack"
    shutil.copytree(small_pack, copy)
    index = read_index(copy)
    made = np.arange(40) % 2 == 1
    points = index.labels.points.copy()
    points[made] = np.nan
    labels = replace(index.labels, sources=np.where(made, "views", "photos"), points=points)
    write_index(replace(index, labels=labels), copy / "index.npz")

    data = PackedFacesModule(copy, batch_size=4, one_in=4, workers=0, view_sources=("views",))
    held_out = np.array([is_held_out(str(name), 4) for name in labels.identities])
    assert 0 < held_out.sum() < 40
    assert set(data.training_indices) == set(np.flatnonzero(~held_out))
    photos, views = (
        sum(_rows(copy, loader), [])  # noqa: RUF017
        for loader in data.val_dataloader()
    )
    assert photos == np.flatnonzero(held_out & ~made).tolist()
    assert views == np.flatnonzero(held_out & made).tolist()


def test_what_is_not_validated_is_said(small_pack: Path, tmp_path: Path) -> None:
    """In a pack of faces without annotated points; and if nobody is held out."""
    copy = tmp_path / "pack"
    shutil.copytree(small_pack, copy)
    index = read_index(copy)
    labels = replace(index.labels, points=np.full_like(index.labels.points, np.nan))
    write_index(replace(index, labels=labels), copy / "index.npz")

    def said(pack: Path, one_in: int, *view_sources: str) -> str:
        data = PackedFacesModule(pack, one_in=one_in, view_sources=view_sources)
        return data.not_validated()

    assert said(small_pack, 4) == ""
    assert said(copy, 4, "dots").startswith("Landmarks of photos are not validated")
    assert "neither photos with annotated points" in said(copy, 4)
    assert "nobody is held out" in said(small_pack, 10**9)
    with pytest.warns(UserWarning, match="Nothing is validated.*nobody is held out"):
        PackedFacesModule(small_pack, one_in=10**9).setup("fit")


def test_an_epoch_must_fill_a_batch(small_pack: Path) -> None:
    data = PackedFacesModule(small_pack, batch_size=400, one_in=4, workers=0)
    with pytest.raises(BadInputError, match="does not fill a batch"):
        data.train_dataloader()
