"""Training of the network that tells what covers a face, on faces that we draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.errors import BadInputError
from backend.texture.covers.finding import SIZE, read_weights
from backend.texture.mean_face import read_mean_texture
from training.occlusion.drawing import SHAPES, Places
from training.occlusion.faces import load_faces, save_faces
from training.occlusion.samples import Faces, sample
from training.occlusion.training import WIDTHS, CoverTraining, train


@pytest.fixture(scope="module")
def places() -> Places:
    """Landmarks of a face that looks about as ours does in the chart."""
    angle = np.linspace(0, 2 * np.pi, 68)
    landmarks = 48 + 20 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    landmarks[36], landmarks[45], landmarks[27], landmarks[33] = (
        (36, 40),
        (60, 40),
        (48, 40),
        (48, 52),
    )
    return Places(landmarks.astype(np.float32), SIZE)


@pytest.fixture(scope="module")
def faces() -> Faces:
    mean = np.rint(read_mean_texture(SIZE) * 255)
    textures = np.stack([np.clip(mean * k, 0, 255).astype(np.uint8) for k in (0.5, 0.8, 1.1)])
    return Faces(textures, np.full((3, SIZE, SIZE), 255, np.uint8))


@pytest.mark.parametrize("draw", SHAPES, ids=lambda draw: draw.__name__)
def test_every_shape_covers_some_of_the_face(places: Places, draw) -> None:
    shares = [draw(places, np.random.default_rng(seed)).mean() for seed in range(20)]
    assert 0 < np.mean(shares) < 0.9
    assert len(set(shares)) > 10


def test_samples_know_what_is_covered(faces: Faces, places: Places) -> None:
    """Some are bare, some covered, and the label says where; the seed decides all."""
    made = [sample(faces, 1, places, np.random.default_rng(seed)) for seed in range(24)]
    covered = np.array([label.max() > 0.5 for _, _, label in made])
    assert 5 < covered.sum() < 24
    again = sample(faces, 1, places, np.random.default_rng(3))
    for one, other in zip(made[3], again, strict=True):
        np.testing.assert_array_equal(one, other)
    for color, seen, label in made:
        assert color.shape == (SIZE, SIZE, 3) and seen.shape == label.shape == (SIZE, SIZE)
        assert min(color.min(), label.min()) >= 0 and max(color.max(), label.max()) <= 1


def test_training_learns_and_writes_what_the_backend_reads(
    faces: Faces, places: Places, tmp_path: Path
) -> None:
    target = tmp_path / "covers.safetensors"
    middle = np.ones((SIZE, SIZE), np.float32)
    losses = train(faces, places, middle, target, CoverTraining(steps=12, batch=2))
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    architecture, arrays = read_weights(target)
    assert tuple(architecture["widths"]) == WIDTHS
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_unwrapped_faces_are_kept_and_others_refused(faces: Faces, tmp_path: Path) -> None:
    save_faces(faces, tmp_path / "faces.npz")
    np.testing.assert_array_equal(load_faces(tmp_path / "faces.npz").textures, faces.textures)
    (tmp_path / "text.npz").write_text("no faces")
    with pytest.raises(BadInputError, match=r"text\.npz holds no unwrapped faces"):
        load_faces(tmp_path / "text.npz")
