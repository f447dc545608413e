"""The commands of "Try the set-up" in training/README.md, as a newcomer types them.

Photos are drawn, so the true landmarks are known from the renderer alone.
"""

from __future__ import annotations

import csv
import json
import shlex
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.cli import main
from backend.data_folder import ENVIRONMENT_VARIABLE, data_folder
from backend.morphable_model.model import MorphableModel
from backend.synergynet.weights import SHIPPED_WEIGHTS, load_weights
from training.data.shards import read_index
from training.evaluation.landmarks.nme import normalised_mean_error

# The commands take one to three minutes on two cores, and may have to share them.
pytestmark = pytest.mark.timeout(1200)

ROOT = Path(__file__).parents[2]
N_PHOTOS = 100


@dataclass(frozen=True)
class Tried:
    """What the commands have left.

    Attributes
    ----------
    folder
        Stands for ``out/try``.
    report
        Of the last command, which measures the new weights.
    """

    folder: Path
    report: dict[str, Any]

    @property
    def run(self) -> Path:
        """Folder of the training."""
        return self.folder / "training" / "version_0"

    def arrays(self, file: str) -> dict[str, np.ndarray]:
        with np.load(self.folder / file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


def commands(target: Path) -> list[list[str]]:
    """Arguments of the documented commands, with another folder in the place of ``out/try``."""
    text = (ROOT / "training" / "README.md").read_text(encoding="utf-8")
    block = text.split("## Try the set-up\n")[1].split("```sh\n")[1].split("```")[0]
    block = block.replace("\\\n", " ").replace("out/try", target.as_posix())
    return [shlex.split(line)[1:] for line in block.splitlines()]


@pytest.fixture(scope="module")
def tried(
    model: MorphableModel, detector_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Tried:
    folder = tmp_path_factory.mktemp("try")
    *steps, last = commands(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENVIRONMENT_VARIABLE, str(data_folder().resolve()))
        patch.chdir(ROOT)
        for step in steps:
            more = ["--trainer.enable_progress_bar", "false"] if step[0] == "train" else []
            assert main([*step, *more]) == 0, step
        with redirect_stdout(StringIO()) as printed:
            assert main([*last, "--json"]) == 0
    return Tried(folder, json.loads(printed.getvalue()))


def test_fits_lie_on_the_drawn_faces(tried: Tried) -> None:
    """Found by the detector and fitted; it misses some of the profiles."""
    truth, fits = tried.arrays("photos/fits.npz"), tried.arrays("fits.npz")
    assert len(truth["names"]) == N_PHOTOS
    assert len(fits["names"]) > N_PHOTOS / 2
    rows = np.searchsorted(truth["names"], fits["names"])
    np.testing.assert_array_equal(truth["names"][rows], fits["names"])
    drawn, found = truth["lm68_3d"][rows, :, :2], fits["lm68_3d"][..., :2]
    assert np.median(normalised_mean_error(found, drawn)) < 5


def test_views_are_turned_further_and_packed_with_the_photos(tried: Tried) -> None:
    fits, views = tried.arrays("fits.npz"), tried.arrays("views/fits.npz")
    good = int((~fits["outlier"]).sum())
    assert len(views["names"]) == 2 * good
    assert np.abs(views["ypr"][:, 0]).mean() > np.abs(fits["ypr"][:, 0]).mean() + 10
    labels = read_index(tried.folder / "pack").labels
    assert len(labels) == 3 * good
    assert set(labels.sources) == {"photos", "views"}


def test_training_validates_and_exports_weights_that_are_new(tried: Tried) -> None:
    rows = list(csv.DictReader((tried.run / "metrics.csv").read_text().splitlines()))
    validated = [row for row in rows if row["val/refined_all"]]
    assert [row["epoch"] for row in validated] == ["0", "1"]
    assert all(np.isfinite(float(row["val/yaw_60_90"])) for row in validated)
    assert (tried.run / "overlays" / "epoch-001.png").is_file()
    before, after = load_weights(SHIPPED_WEIGHTS), load_weights(tried.run / SHIPPED_WEIGHTS.name)
    assert not torch.equal(before.heads.pose.weight, after.heads.pose.weight)


def test_the_new_weights_find_the_drawn_landmarks(tried: Tried) -> None:
    """In the backend, against the renderer's truth: whatever a step turned around would show."""
    assert tried.report["measured"] > N_PHOTOS / 2
    for landmarks in tried.report["nme"].values():
        assert landmarks["yaw"]["0-30"] < 5
        assert landmarks["all"] < 8
