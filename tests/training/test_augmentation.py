"""Labels must follow the picture: parameters, landmarks and pixels under the same similarity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.geometry.pose import euler_angles
from backend.morphable_model.mirror_image import MIRRORED_LANDMARKS, MirrorImage
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from tests.training.conftest import landmarks_of
from training.data.augmentation import (
    CENTRE,
    Augmentation,
    AugmentationSettings,
    similarity,
    warp,
)
from training.data.packed import PackedBatch, PackedFaces


@pytest.fixture(scope="module")
def augmentation(model: MorphableModel) -> Augmentation:
    return Augmentation(MirrorImage.of(model), AugmentationSettings())


@pytest.fixture(scope="module")
def batch(small_pack: Path) -> PackedBatch:
    return PackedFaces(small_pack, np.arange(40)).__getitems__(list(range(40)))


def turned(points: np.ndarray, degrees: float, scale: float, shift: list[float]) -> np.ndarray:
    """(68, 2) points turned anticlockwise about the middle of a y-up frame."""
    z = (points[:, 0] - CENTRE[0]) + 1j * (points[:, 1] - CENTRE[1])
    z = z * scale * np.exp(1j * np.radians(degrees)) + complex(*CENTRE) + complex(*shift)
    return np.stack([z.real, z.imag], 1)


def test_parameters_follow_a_similarity_exactly(
    model: MorphableModel, augmentation: Augmentation, batch: PackedBatch
) -> None:
    n, degrees, scale, shift = len(batch.crops), 25.0, 1.1, [4.0, -7.0]
    change = similarity(
        torch.full((n,), degrees),
        torch.full((n,), scale),
        torch.tensor([shift]).repeat(n, 1),
        torch.zeros(n, dtype=torch.bool),
    )
    parameters, landmarks = augmentation.transform(batch.parameters, batch.landmarks, change)
    for before, after, points in zip(batch.parameters, parameters, landmarks, strict=True):
        expected = turned(landmarks_of(model, before.numpy())[:, :2], degrees, scale, shift)
        np.testing.assert_allclose(landmarks_of(model, after.numpy())[:, :2], expected, atol=2e-3)
        np.testing.assert_allclose(points[:2].T.numpy(), expected, atol=2e-3)
    before = FaceParameters(batch.parameters[0].numpy()).pose
    after = FaceParameters(parameters[0].numpy()).pose
    assert after.scale == pytest.approx(before.scale * scale, rel=1e-5)
    torch.testing.assert_close(parameters[:, 11], batch.parameters[:, 11])


def test_mirror_image(
    model: MorphableModel, augmentation: Augmentation, batch: PackedBatch
) -> None:
    """Landmarks mirror exactly, and the nearest coefficients reproduce them within the 0.79 mm
    by which the model's two halves differ on average (about 0.35 crop pixels)."""
    n = len(batch.crops)
    change = similarity(
        torch.zeros(n), torch.ones(n), torch.zeros(n, 2), torch.ones(n, dtype=torch.bool)
    )
    parameters, landmarks = augmentation.transform(batch.parameters, batch.landmarks, change)
    before = batch.landmarks.numpy()
    expected = before[:, :2, MIRRORED_LANDMARKS].copy()
    expected[:, 0] = 2 * CENTRE[0] - expected[:, 0]
    np.testing.assert_allclose(landmarks[:, :2].numpy(), expected, atol=1e-4)
    found = np.array([landmarks_of(model, p.numpy())[:, :2].T for p in parameters])
    distance = np.linalg.norm(found - expected, axis=1)
    assert np.median(distance) < 0.5
    yaw, pitch, roll = euler_angles(FaceParameters(batch.parameters[3].numpy()).pose.rotation)
    mirrored = euler_angles(FaceParameters(parameters[3].numpy()).pose.rotation)
    assert mirrored == pytest.approx((-yaw, pitch, -roll), abs=1e-2)


def test_mirrored_landmarks_are_pairs() -> None:
    assert (MIRRORED_LANDMARKS[MIRRORED_LANDMARKS] == np.arange(68)).all()
    assert MIRRORED_LANDMARKS[36] == 45
    assert MIRRORED_LANDMARKS[48] == 54
    assert MIRRORED_LANDMARKS[8] == 8


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("size", [120, 80])
def test_pixels_follow_the_labels(
    augmentation: Augmentation, batch: PackedBatch, size: int, mirrored: bool
) -> None:
    """Where a landmark is said to be, the white dot of the drawn photo is."""
    n = len(batch.crops)
    change = similarity(
        torch.full((n,), -15.0),
        torch.full((n,), 0.95),
        torch.tensor([[3.0, 2.0]]).repeat(n, 1),
        torch.full((n,), mirrored),
    )
    images = warp(batch.crops, change, size).mean(1).numpy()
    _, landmarks = augmentation.transform(batch.parameters, batch.landmarks, change)
    x = (landmarks[:, 0].numpy() - 1) * size / 120
    y = (120 - landmarks[:, 1].numpy()) * size / 120
    inside = (x > 2) & (x < size - 3) & (y > 2) & (y < size - 3)
    face = np.broadcast_to(np.arange(n)[:, None], x.shape)[inside]
    column, row = np.rint(x[inside]).astype(int), np.rint(y[inside]).astype(int)
    assert (images[face, row, column] > 0.6).mean() > 0.97
    # The same places in another face's picture are mostly grey: the check above can fail.
    assert (images[face - 1, row, column] > 0.6).mean() < 0.6


def test_half_precision_does_not_reach_labels_and_pixels(
    augmentation: Augmentation, batch: PackedBatch
) -> None:
    """bfloat16 has two or three digits: half a pixel of 120."""
    found = []
    for narrow in (False, True):
        torch.manual_seed(3)
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            found.append(augmentation(batch, 120))
    for exact, under_autocast in zip(*found, strict=True):
        assert under_autocast.dtype == torch.float32
        torch.testing.assert_close(under_autocast, exact)
