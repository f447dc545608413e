"""What is said of a photo does not depend on the side from which it is looked at."""

from __future__ import annotations

import numpy as np
import pytest

from backend.commands.demo import sample_image
from backend.engines.engine import Engine, load_engine
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.mirror_image import MIRRORED_LANDMARKS
from backend.morphable_model.model import MorphableModel
from backend.synergynet.two_sided import TwoSidedEngine
from backend.synergynet.weights import SHIPPED_WEIGHTS
from backend.vision.crop import crop


@pytest.fixture(scope="module")
def engine(model: MorphableModel) -> Engine:
    return load_engine(model, "cpu", SHIPPED_WEIGHTS)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """The astronaut, and her mirror image."""
    face = crop(sample_image(), RoiBox(225, 110, 200))
    return np.stack([face, face[:, ::-1]])


def differences(landmarks: np.ndarray) -> np.ndarray:
    """(68, 2) pixels from the first crop's landmarks to the second's, mirrored."""
    return landmarks[1][MIRRORED_LANDMARKS][:, :2] * [-1, 1] + [121, 0] - landmarks[0][:, :2]


def test_the_mirror_image_has_the_mirrored_landmarks(
    model: MorphableModel, engine: Engine, crops: np.ndarray
):
    assert np.abs(differences(engine.run(crops).refined)).max() > 1
    both = TwoSidedEngine(engine, model).run(crops)
    assert np.abs(differences(both.refined)).max() < 0.03
    # A mirrored head is not in the model: the mesh is where it should be, if not quite the same.
    assert np.abs(differences(both.coarse).mean(axis=0)).max() < 0.03
    assert np.abs(differences(both.coarse)).max() < 1


def test_landmarks_are_the_mean_of_the_two_answers(
    model: MorphableModel, engine: Engine, crops: np.ndarray
):
    alone, both = engine.run(crops), TwoSidedEngine(engine, model).run(crops[:1])
    mirrored = alone.refined[1][MIRRORED_LANDMARKS] * [-1, 1, 1] + [121, 0, 0]
    np.testing.assert_allclose(both.refined[0], (alone.refined[0] + mirrored) / 2, atol=1e-3)


def test_coarse_landmarks_are_those_of_the_mesh(
    model: MorphableModel, engine: Engine, crops: np.ndarray
):
    output = TwoSidedEngine(engine, model).run(crops)
    for parameters, coarse in zip(output.parameters, output.coarse, strict=True):
        matrix = parameters[:12].reshape(3, 4)
        head = model.vertices(parameters[12:52], parameters[52:])[model.landmark_indices]
        expected = 1000 * head @ matrix[:, :3].T + matrix[:, 3]
        np.testing.assert_allclose(coarse, expected, atol=1e-3)
