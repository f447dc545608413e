"""One command from photos to shards."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.cli import main
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from tests.training.conftest import landmarks_of, random_parameters
from training.data.shards import read_index


@pytest.fixture
def root(model: MorphableModel, tmp_path: Path) -> Path:
    """Three photos of two people with fits, and the same three with points alone."""
    folder = tmp_path / "photos"
    folder.mkdir()
    parameters = random_parameters(model, 3, seed=2)
    box = RoiBox(100, 90, 120)
    names = np.array(["ann_0.png", "ann_1.png", "bob_0.png"])
    for name in names:
        noise = np.random.default_rng(0).integers(0, 255, (180, 200, 3), np.uint8)
        Image.fromarray(noise).save(folder / name)
    landmarks = np.stack([box.to_image(landmarks_of(model, p)) for p in parameters])
    boxes = np.tile(np.array(box.corners, np.float32), (3, 1))
    np.savez(
        tmp_path / "fits.npz",
        names=names,
        boxes=boxes,
        params=parameters,
        lm68_3d=landmarks.astype(np.float32),
    )
    np.savez(tmp_path / "points.npz", names=names, pts=landmarks[..., :2].astype(np.float32) + 1)
    return tmp_path


RECIPE = r"""
sets:
  - {name: fitted, photos: photos, fits: fits.npz, identity: '^(.*)_', views: 2, swaps: 1,
     heads: 2}
  - {name: pointed, photos: photos, points: points.npz, one_based: true, identity: '^(.*)_'}
"""


def test_a_recipe_makes_a_pack_once(model: MorphableModel, root: Path) -> None:
    recipe, target = root / "recipe.yaml", root / "out"
    recipe.write_text(RECIPE)
    command = ["data", "build", str(recipe), "--root", str(root), "-o", str(target)]
    assert main([*command, "--workers", "1"]) == 0
    labels = read_index(target / "pack").labels
    assert Counter(labels.sources.tolist()) == {
        "fitted": 3, "fitted_views": 6, "fitted_swap": 3, "fitted_heads": 6, "pointed": 3,
    }  # fmt: skip
    assert set(labels.identities) == {"ann", "bob"}
    # The fits of the second set come from its points, and agree with the first set's.
    fitted = labels.landmarks[labels.sources == "fitted"]
    pointed = labels.landmarks[labels.sources == "pointed"]
    assert np.isfinite(labels.points[labels.sources == "pointed"]).all()
    assert fitted.shape == pointed.shape
    made = {p: p.stat().st_mtime_ns for p in target.rglob("*") if p.suffix in (".jpg", ".tar")}
    assert main([*command, "--workers", "1"]) == 0
    assert made == {p: p.stat().st_mtime_ns for p in made}


@pytest.mark.parametrize(
    "text", ["sets: [{name: a, photos: photos, fitz: x}]", "sets: 3", "- a", "sets: [{name: a}]"]
)
def test_what_is_no_recipe_is_refused(
    root: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = root / "recipe.yaml"
    recipe.write_text(text)
    command = ["data", "build", str(recipe), "--root", str(root), "-o", str(root / "out")]
    assert main(command) == 2
    assert "recipe" in capsys.readouterr().err
    assert not (root / "out").exists()
