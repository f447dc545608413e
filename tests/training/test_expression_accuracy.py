"""How much of a performance arrives: measures by closed forms."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from backend.cli import main
from training.commands.evaluate_expressions import tables
from training.evaluation.expression_accuracy import Agreement, compare, described, together
from training.evaluation.expression_features import FEATURES, LIDS, RIGID, features
from training.evaluation.tables import format_table

FRAMES = 60
NAMES = [feature.name for feature in FEATURES]
# Outer corners of the eyes, 100 apart, forehead and chin; the rest lies anywhere.
PLACES = {33: (-50, 0, 0), 263: (50, 0, 0), 10: (0, 60, 0), 152: (0, -100, 0)}


def face() -> np.ndarray:
    """(468, 3) points of a made-up head, eyes open by 10."""
    points = np.random.default_rng(0).uniform(-40, 40, (468, 3))
    for index, place in PLACES.items():
        points[index] = place
    for upper, lower in LIDS:
        points[upper], points[lower] = (0, 5, 20), (0, -5, 20)
    return points


def still() -> np.ndarray:
    return np.repeat(face()[None], FRAMES, axis=0)


def posed(points: np.ndarray) -> np.ndarray:
    """The same faces, each turned, shifted and scaled in its own way."""
    rng = np.random.default_rng(1)
    turned = points @ Rotation.from_rotvec(rng.normal(size=(len(points), 3))).as_matrix().swapaxes(
        1, 2
    )
    scale = rng.uniform(0.5, 2, (len(points), 1, 1))
    return turned * scale + rng.uniform(-500, 500, (len(points), 1, 3))


def opened(share: float = 1.0) -> np.ndarray:
    """A mouth that opens and closes by as much as 20, or a share of it."""
    points = still()
    points[:, 14, 1] -= 20 * share * (1 - np.cos(np.linspace(0, 9, FRAMES))) / 2
    return points


def test_features_are_lengths_over_the_distance_of_the_eyes_whatever_the_pose() -> None:
    points = opened()
    found = features(posed(points))
    gap = (points[:, 13, 1] - points[:, 14, 1]) / 100
    np.testing.assert_allclose(found[:, NAMES.index("mouth opening")], gap, atol=1e-9)
    np.testing.assert_allclose(found[:, NAMES.index("lid R")], 0.1, atol=1e-9)
    assert 13 not in RIGID and 14 not in RIGID


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0])
def test_the_slope_is_the_share_that_arrives(share: float) -> None:
    found = compare(opened(share), posed(opened()))
    mouth = NAMES.index("mouth opening")
    assert found.slope[mouth] == pytest.approx(share, abs=1e-6)
    assert found.correlation[mouth] == pytest.approx(float(share > 0), abs=1e-6)
    # What does not move is noise and counts for nothing.
    assert found.movement[NAMES.index("lid L")] == pytest.approx(0, abs=1e-9)


def test_a_blink_counts_when_both_see_it() -> None:
    seen, mesh = still(), still()
    upper, lower = LIDS[0]
    for points, opening in ((seen, 0.4), (mesh, 0.55)):
        points[20:24, upper, 1] = points[20:24, lower, 1] + 10 * opening
    mesh[23, upper, 1] = 5
    found = compare(mesh, seen)
    assert (found.shut, found.followed) == (4, 3)


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="9 frames"):
        compare(still()[:9], still()[:9])


def test_clips_count_by_how_much_they_move() -> None:
    one = compare(opened(), opened())
    dead = replace(one, slope=0 * one.slope, correlation=0 * one.correlation)
    dead = replace(dead, movement=3 * one.movement)
    mouth = NAMES.index("mouth opening")
    assert together([one, dead]).slope[mouth] == pytest.approx(0.25)


def test_the_report_reads_well() -> None:
    one: Agreement = compare(opened(), opened())
    assert json.loads(json.dumps(described(one)))["features"]["mouth opening"][
        "slope"
    ] == pytest.approx(1)
    text = "\n".join(format_table(table) for table in tables({"clip.mp4": one}, one))
    assert "mouth opening" in text and "clip.mp4" in text


def test_a_clip_that_is_not_there_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "expressions", "nowhere.mp4"]) == 2
    assert "nowhere.mp4" in capsys.readouterr().err
