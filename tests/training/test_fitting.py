"""The face model fitted to points whose faces are known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from backend.fitting.surface_points import jaw_outline, vertex_points
from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from tests.slowness import slowness
from tests.training.conftest import landmarks_of, random_parameters
from training.data.fitting import ORIGIN_DEPTH, Fits, FitSettings, fit
from training.data.mediapipe_points import load_table

BOX = RoiBox(310.0, 275.0, 240.0)
# Crop pixels are half as large as image pixels here.
PIXEL = BOX.side / 120
# Almost no prior, so that the faces' own coefficients are the best ones.
FREE = FitSettings(shape_ridge=0.01, expression_ridge=0.01, iterations=12)


def landmarks_in_image(model: MorphableModel, parameters: np.ndarray) -> np.ndarray:
    """(N, 68, 3) image frame."""
    return np.stack([BOX.to_image(landmarks_of(model, p)) for p in parameters])


def turned(parameters: np.ndarray, yaw: float, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """The same faces with another rotation."""
    turned = parameters.copy()
    matrix = turned[:, :12].reshape(-1, 3, 4)
    matrix[:, :, :3] = rotation_from_euler(yaw, pitch, roll) * 4.4e-4
    return turned


def distance(fits: Fits, truth: np.ndarray) -> np.ndarray:
    """(N, 68) crop pixels in the picture."""
    return np.linalg.norm((fits.landmarks - truth)[..., :2], axis=2) / PIXEL


def landmark_fit(
    model: MorphableModel, points: np.ndarray, settings: FitSettings, moving: bool
) -> Fits:
    jaw = jaw_outline(model) if moving else None
    return fit(model, vertex_points(model, model.landmark_indices), points, settings, jaw)


@pytest.mark.parametrize(("settings", "tolerance"), [(FREE, 0.1), (FitSettings(), 0.3)])
def test_known_faces_are_recovered(
    model: MorphableModel, settings: FitSettings, tolerance: float
) -> None:
    parameters = random_parameters(model, 30, seed=1)
    truth = landmarks_in_image(model, parameters)
    fits = landmark_fit(model, truth[..., :2], settings, moving=False)
    assert distance(fits, truth).mean() < tolerance
    angles = np.abs(fits.angles - truth_angles(parameters))
    assert angles.mean() < (0.5 if settings is FREE else 2.0)
    assert (fits.errors < 0.5).all()


def truth_angles(parameters: np.ndarray) -> np.ndarray:
    """(N, 3) degrees from the matrix, by the formulas of the design."""
    r = parameters[:, :12].reshape(-1, 3, 4)[:, :, :3].astype(float)
    r /= np.linalg.norm(r, axis=2, keepdims=True)
    yaw = np.arcsin(-r[:, 0, 2])
    pitch = np.arctan2(r[:, 1, 2], r[:, 2, 2])
    roll = np.arctan2(r[:, 0, 1], r[:, 0, 0])
    return np.degrees(np.stack([yaw, pitch, roll], 1))


def test_parameters_say_what_the_landmarks_say(model: MorphableModel) -> None:
    """The 62 numbers in the crop frame of the fit's own box give its landmarks."""
    truth = landmarks_in_image(model, random_parameters(model, 3, seed=2))
    fits = landmark_fit(model, truth[..., :2], FitSettings(), moving=False)
    for row, corners, expected in zip(fits.parameters, fits.boxes, fits.landmarks, strict=True):
        box = RoiBox.from_corners(*corners.astype(float))
        again = box.to_image(landmarks_of(model, row))
        assert np.abs(again - expected).max() < 0.01
        assert row.reshape(-1)[11] == pytest.approx(ORIGIN_DEPTH)
    low, high = truth[0, :, :2].min(0), truth[0, :, :2].max(0)
    assert fits.boxes[0, 2] - fits.boxes[0, 0] == pytest.approx((high - low).max() * np.sqrt(2))


@pytest.mark.parametrize("yaw", [-50.0, 50.0])
def test_the_jaw_marches_along_the_silhouette(model: MorphableModel, yaw: float) -> None:
    """Far jaw points lie where each row of the picture leaves the head, as annotators put them."""
    parameters = turned(random_parameters(model, 8, seed=3), yaw)
    truth = landmarks_in_image(model, parameters)
    points = truth[..., :2].copy()
    # With a positive yaw the nose points to the image's left, and that side is turned away.
    far, sign = (range(1, 7), -1) if yaw > 0 else (range(10, 16), 1)
    for face, row in zip(points, parameters, strict=True):
        head = model.vertices(row[12:52], row[52:])
        vertices = FaceParameters(row).to_image(head, BOX)
        front = vertices[model.mean[:, 2] > 15]
        for landmark in far:
            beside = front[np.abs(front[:, 1] - face[landmark, 1]) < 1.0]
            face[landmark, 0] = sign * (sign * beside[:, 0]).max()
    moved = np.linalg.norm(points - truth[..., :2], axis=2)[:, list(far)].mean() / PIXEL
    assert moved > 2, "the silhouette must differ from the bone for this test to say anything"

    moving = landmark_fit(model, points, FitSettings(), moving=True)
    staying = landmark_fit(model, points, FitSettings(), moving=False)
    assert moving.errors.mean() < 0.6 * staying.errors.mean()
    assert distance(moving, truth).mean() < 0.6 * distance(staying, truth).mean()
    wrong = [np.abs(fits.angles[:, 0] - yaw).mean() for fits in (moving, staying)]
    assert wrong[0] < 3 and wrong[0] < 0.6 * wrong[1]


@pytest.mark.parametrize("yaw", [0.0, 40.0, -75.0])
def test_dense_points_are_fitted_with_their_depth(model: MorphableModel, yaw: float) -> None:
    table = load_table()
    parameters = turned(random_parameters(model, 5, seed=4), yaw, pitch=10, roll=-15)
    heads = [FaceParameters(p).to_image(model.vertices(p[12:52], p[52:]), BOX) for p in parameters]
    corners, weights = table.corners[table.reliable], table.weights[table.reliable]
    points = np.stack([np.einsum("pk,pkx->px", weights, head[corners]) for head in heads])
    points[..., 2] += 1000  # its depth counts from anywhere
    fits = fit(model, table.surface(model), points, FitSettings(box="landmarks"))
    truth = landmarks_in_image(model, parameters)
    assert distance(fits, truth).mean() < 0.5
    assert np.abs(fits.angles - [yaw, 10, -15]).max() < 2
    # The box of the landmarks, not of the mesh.
    low, high = fits.landmarks[0, :, :2].min(0), fits.landmarks[0, :, :2].max(0)
    side = fits.boxes[0, 2] - fits.boxes[0, 0]
    assert side == pytest.approx((high - low).max() * np.sqrt(2), rel=1e-4)


def test_missing_points_do_not_count(model: MorphableModel) -> None:
    truth = landmarks_in_image(model, random_parameters(model, 2, seed=6))
    points = truth[..., :2].copy()
    points[:, [3, 40, 50]] = np.nan
    fits = landmark_fit(model, points, FitSettings(), moving=False)
    assert distance(fits, truth).mean() < 0.5
    assert np.isfinite(fits.parameters).all()


def test_faces_that_do_not_fit_are_flagged(model: MorphableModel) -> None:
    rng = np.random.default_rng(7)
    truth = landmarks_in_image(model, random_parameters(model, 40, seed=7))
    points = truth[..., :2] + rng.normal(0, 2, (40, 68, 2))
    points[13] = points[13, rng.permutation(68)]
    fits = landmark_fit(model, points, FitSettings(), moving=True)
    assert np.flatnonzero(fits.outliers).tolist() == [13]


def test_a_thousand_faces_take_less_than_ten_seconds(model: MorphableModel) -> None:
    """Of one core; a quarter of them is fitted."""
    points = landmarks_in_image(model, random_parameters(model, 250, seed=8))[..., :2]
    start = time.process_time()
    landmark_fit(model, points, FitSettings(), moving=True)
    assert (time.process_time() - start) / slowness() < 2.5
