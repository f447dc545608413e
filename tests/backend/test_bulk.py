"""Many faces at once say the same as one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from torch.utils.flop_counter import FlopCounterMode

from backend.bulk.answering import Answering
from backend.bulk.faces import BulkFaces
from backend.bulk.frames import FoundFaces, FrameBatch
from backend.bulk.geometry import crops
from backend.cli import main
from backend.engines.engine import load_engine
from backend.engines.torch_engine import load_folded
from backend.errors import BadInputError
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.synergynet.weights import SHIPPED_WEIGHTS
from backend.vision.crop import crop

# The astronaut's face; leaning; the other way and smaller; a part that leaves the picture.
BOXES = (
    RoiBox(225, 130, 180),
    RoiBox(225, 130, 170, 20),
    RoiBox(228, 128, 200, -10),
    RoiBox(225, 40, 150),
)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.asarray(data.astronaut(), np.uint8)


@pytest.fixture(scope="module")
def bulk(model: MorphableModel) -> BulkFaces:
    return BulkFaces.load("cpu", dense=True, model=model)


@pytest.mark.parametrize(
    "box", [*BOXES, RoiBox(224, 130, 120), RoiBox(230, 140, 420, -10), RoiBox(250, 250, 900, 33)]
)
def test_crops_are_those_of_opencv(photo: np.ndarray, box: RoiBox) -> None:
    """Two implementations; where the picture is reduced, their filters differ a little."""
    batch = FrameBatch.of(photo[None], [[box]])
    ours = crops(
        torch.from_numpy(batch.pictures), torch.from_numpy(batch.image_from_crop), batch.places
    )
    expected = crop(photo, box).astype(float)
    difference = np.abs(ours[0].permute(1, 2, 0).numpy() - expected)
    reduced = box.side >= 1.5 * 120
    assert difference.mean() < (3 if reduced else 0.5)
    assert np.corrcoef(ours[0].permute(1, 2, 0).numpy().ravel(), expected.ravel())[0, 1] > 0.995


def test_answers_are_those_of_the_engine(
    bulk: BulkFaces, model: MorphableModel, photo: np.ndarray
) -> None:
    """Here onnxruntime, OpenCV's crops and NumPy's mesh; there tensors from end to end."""
    batch = FrameBatch.of(np.stack([photo] * 4), [[box] for box in BOXES])
    (found,) = bulk.find([batch])
    expected = load_engine(model, "cpu").run(np.stack([crop(photo, box) for box in BOXES]))
    assert found.picture.tolist() == [0, 1, 2, 3]
    assert found.vertices is not None
    for index, box in enumerate(BOXES):
        landmarks = box.to_image(expected.refined[index])
        assert np.abs(found.landmarks[index].T - landmarks).max() < 0.006 * box.side, index
        # The mesh against the plain formula, from the parameters that were found.
        parameters = found.parameters[index]
        head = model.vertices(parameters[12:52], parameters[52:])
        mesh = FaceParameters(parameters).to_image(head, box)
        assert np.abs(found.vertices[index].T - mesh).max() < 1e-3, index


def test_crops_alike_give_answers_alike(
    bulk: BulkFaces, model: MorphableModel, photo: np.ndarray
) -> None:
    """Without a difference between the crops only rounding is left."""
    pictures = np.stack([crop(photo, box) for box in BOXES])
    expected = load_engine(model, "cpu").run(pictures)
    whole = RoiBox(60, 60, 120)
    (found,) = bulk.find([FrameBatch.of(pictures, [[whole]] * 4)])
    assert found.parameters == pytest.approx(expected.parameters, rel=1e-3, abs=1e-2)
    for index in range(4):
        landmarks = whole.to_image(expected.refined[index])
        assert np.abs(found.landmarks[index].T - landmarks).max() < 0.01


def test_half_precision_is_precise_enough(
    bulk: BulkFaces, model: MorphableModel, photo: np.ndarray
) -> None:
    """What a graphics card computes in, here on the processor."""
    batch = FrameBatch.of(photo[None], [BOXES])
    in_half = BulkFaces(Answering(load_folded(SHIPPED_WEIGHTS), model, "cpu", True, half=True))
    (ours,), (exact,) = (list(map(kept, faces.find([batch]))) for faces in (in_half, bulk))
    assert ours.landmarks.dtype == np.float32
    assert ours.vertices is not None and exact.vertices is not None
    assert 0 < np.abs(ours.landmarks - exact.landmarks)[:, :2].max() < 0.5
    assert np.abs(ours.vertices - exact.vertices)[:, :2].max() < 0.8


def test_several_faces_in_a_picture_and_batches_that_are_not_full(
    bulk: BulkFaces, photo: np.ndarray
) -> None:
    dark = (photo // 2).astype(np.uint8)

    def batches() -> Iterator[FrameBatch]:
        yield FrameBatch.of(np.stack([photo, dark]), [BOXES[:2], BOXES[1:2]])
        yield FrameBatch.of(photo[None], [[BOXES[0], BOXES[3]]])

    first, second = (kept(found) for found in bulk.find(batches()))
    assert first.picture.tolist() == [0, 0, 1]
    assert second.picture.tolist() == [0, 0]
    (alone,) = bulk.find([FrameBatch.of(photo[None], [BOXES[:1]])])
    assert first.landmarks[0] == pytest.approx(alone.landmarks[0], abs=0.02)
    assert second.landmarks[0] == pytest.approx(alone.landmarks[0], abs=0.02)
    assert np.abs(first.landmarks[2] - first.landmarks[1]).max() > 0.05


@pytest.mark.parametrize("fault", ["size", "faces", "number"])
def test_batches_must_be_alike(bulk: BulkFaces, photo: np.ndarray, fault: str) -> None:
    usual = FrameBatch.of(photo[None], [BOXES[:1]])
    other = {
        "size": FrameBatch.of(photo[None, :200], [BOXES[:1]]),
        "faces": FrameBatch.of(photo[None], [BOXES[:2]]),
        "number": FrameBatch.of(np.stack([photo, photo]), [BOXES[:1], BOXES[:1]]),
    }[fault]
    with pytest.raises(BadInputError, match="follows one of"):
        list(bulk.find([usual, other]))


def test_without_faces_there_is_nothing_to_do(photo: np.ndarray) -> None:
    with pytest.raises(BadInputError, match="regions"):
        FrameBatch.of(photo[None], [[]])


def test_landmarks_alone_build_no_mesh(model: MorphableModel, photo: np.ndarray) -> None:
    (found,) = BulkFaces.load("cpu", model=model).find([FrameBatch.of(photo[None], [BOXES[:1]])])
    assert found.vertices is None


def test_the_benchmark_knows_its_limits(
    model: MorphableModel, detector_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["bench", "bulk", "--batch", "2", "--repeat", "1", "--device", "cpu", "--json"]) == 0
    )
    report = json.loads(capsys.readouterr().out)
    for speed, limits in (("landmarks", "landmark_limits"), ("meshes", "mesh_limits")):
        assert report[limits]["way_in"] is None
        assert 0 < report[speed] < min(report[limits]["memory"], report[limits]["arithmetic"])


def test_work_is_counted(bulk: BulkFaces, photo: np.ndarray) -> None:
    """By hand: MobileNetV2 has 300 million products at 224 pixels (its paper, Table 4).

    Its maps shrink with the picture but for rounding up to whole pixels. Each of the mesh's 3 x
    53,215 numbers is a sum of 153 products.
    """
    batch = FrameBatch.of(photo[None], [BOXES[:1]])
    inputs = torch.from_numpy(batch.pictures), torch.from_numpy(batch.image_from_crop)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        bulk.answering(*inputs, 1)
    backbone = 2 * 300e6 * (120 / 224) ** 2
    mesh = 2 * 153 * 3 * 53_215
    counts = counter.get_flop_counts()
    assert sum(counts["Answering.network.backbone"].values()) == pytest.approx(backbone, rel=0.25)
    assert sum(counts["Answering.decoder"].values()) == pytest.approx(mesh, rel=0.01)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_recorded_graphs_say_what_the_processor_says(
    model: MorphableModel, bulk: BulkFaces, photo: np.ndarray
) -> None:
    """Half precision, streams and graphs on the card; five batches through two slots."""
    pictures = [np.roll(photo, shift, axis=1) for shift in range(5)]
    batches = [FrameBatch.of(p[None], [BOXES[:2]]) for p in pictures]
    expected = [kept(found) for found in bulk.find(batches)]
    on_card = BulkFaces.load("cuda", dense=True, model=model)
    for ours, theirs in zip(map(kept, on_card.find(batches)), expected, strict=True):
        assert np.abs(ours.landmarks - theirs.landmarks).max() < 1
        assert ours.vertices is not None and theirs.vertices is not None
        assert np.abs(ours.vertices - theirs.vertices).max() < 2


def kept(found: FoundFaces) -> FoundFaces:
    """A copy, whose arrays stay what they are."""
    vertices = None if found.vertices is None else found.vertices.copy()
    return FoundFaces(found.picture, found.parameters.copy(), found.landmarks.copy(), vertices)
