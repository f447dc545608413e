"""Named regions of the head, checked by landmarks, extremes and the mesh's own rims."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from backend.morphable_model.model import MorphableModel
from backend.morphable_model.regions import polygon_depth, region_weights

Weights = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def weights(model: MorphableModel) -> Weights:
    return region_weights(model)


def test_depth_agrees_with_opencv() -> None:
    polygon = np.array([(0, 0), (8, 1), (6, 4), (9, 9), (3, 5), (-2, 7)], np.float32)
    points = np.random.default_rng(0).uniform(-5, 12, (400, 2)).astype(np.float32)
    expected = [cv2.pointPolygonTest(polygon, (float(x), float(y)), True) for x, y in points]
    np.testing.assert_allclose(polygon_depth(points, polygon), expected, atol=1e-4)


def test_face_ears_and_neck_are_the_whole_head(weights: Weights) -> None:
    assert list(weights) == ["face", "ears", "neck", "lips", "eyes"]
    whole = weights["face"] + weights["ears"] + weights["neck"]
    np.testing.assert_allclose(whole, 1, atol=1e-6)
    for name, region in weights.items():
        assert region.min() == 0 and region.max() == 1, name
    for part in ("lips", "eyes"):
        assert (weights["face"][weights[part] > 0] == 1).all()


def test_landmarks_lie_where_their_names_say(model: MorphableModel, weights: Weights) -> None:
    at = {name: region[model.landmark_indices] for name, region in weights.items()}
    # The jaw is the face's rim, so landmarks stay when ears and neck are hidden.
    assert (at["face"] >= 0.5 - 1e-6).all()
    np.testing.assert_allclose(at["neck"][3:14], 0.5, atol=1e-6)
    assert not at["neck"][17:].any() and not at["ears"][17:].any()
    outside_mouth, outside_eyes = list(range(48)), [*range(36), *range(48, 68)]
    assert not at["lips"][outside_mouth].any() and not at["eyes"][outside_eyes].any()
    np.testing.assert_allclose(at["lips"][48:60], 0.5, atol=1e-6)
    np.testing.assert_allclose(at["eyes"][36:48], 0.5, atol=1e-6)
    # The inner lips' middle is as far inside as their width allows.
    assert (at["lips"][[61, 62, 63, 65, 66, 67]] == 1).all()


def test_extremes_and_middles(model: MorphableModel, weights: Weights) -> None:
    x, y, _ = model.mean.T
    assert weights["ears"][x.argmin()] == weights["ears"][x.argmax()] == 1
    assert weights["neck"][y.argmin()] == 1
    assert weights["face"][y.argmax()] == 1
    for first in (36, 42):
        middle = model.landmark_mean[first : first + 6].mean(axis=0)
        nearest = np.linalg.norm(model.mean - middle, axis=1).argmin()
        assert weights["eyes"][nearest] == 1


def test_both_sides_are_alike(model: MorphableModel, weights: Weights) -> None:
    for name, region in weights.items():
        differ = (region > 0.5) != (region[model.mirror_indices] > 0.5)
        # Landmarks and mesh are mirrored to about a millimetre: rims may be off by a vertex.
        assert differ.sum() < 0.1 * (region > 0.5).sum(), name


def test_lips_surround_the_mouth(model: MorphableModel, weights: Weights) -> None:
    edges = np.sort(model.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    rim = np.unique(unique[count == 1])
    mouth = rim[np.linalg.norm(model.mean[rim] - model.landmark_mean[62], axis=1) < 40]
    assert len(mouth) > 70
    assert (weights["lips"][mouth] > 0.5).mean() > 0.95
