"""Who is who across a cut, by drawn people whose colours are alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from backend.morphable_model.model import MorphableModel
from backend.pipeline import FaceReconstructor
from backend.tracking.best_views import BestViews
from backend.tracking.history import History
from backend.tracking.identity import people
from backend.tracking.portrait import Portrait, Portrayer, unlikeness
from backend.tracking.sighting import Sighting
from backend.tracking.tracker import FaceTracker
from training.data.appearance import marks
from training.evaluation.clips.drawing import Camera
from training.evaluation.clips.scenarios import Person, Scene, Setting, Stage, ticks_of

WIDTH, HEIGHT, FRAMES, RATE = 640, 360, 30, 25
SEEDS = range(8)


@dataclass(frozen=True)
class AlikeCamera(Camera):
    """Everybody has the same complexion, but for marks of their own that nobody overlooks."""

    def _complexion(self, number: int, size: int) -> np.ndarray:
        return self._skin_tone(0) * marks(self._rng(5, number), size, contrast=0.12)


def scene(model: MorphableModel, seed: int, two: bool) -> Scene:
    """A cut to another place; there the same person or, just where that was, another one."""
    times = np.arange(FRAMES) / RATE
    stage = Stage(model, times, WIDTH, HEIGHT, np.random.default_rng(1000 + seed))
    after = stage.part >= 0.5
    first, second = stage.person(turn=0.3), stage.person(turn=0.3)
    second = replace(second, angles=first.angles, scale=first.scale, place=first.place)
    shown: tuple[Person, ...] = (first,)
    if two:
        shown = replace(first, present=~after), replace(second, present=after)
    # Another place in the same light, so that the person alone makes the difference.
    return Scene(ticks_of(times), after.astype(np.int64), shown, (Setting(0), Setting(0)))


def followed(
    reconstructor: FaceReconstructor, drawn: Scene, seed: int
) -> tuple[History, np.ndarray, BestViews]:
    model = reconstructor.model
    camera = AlikeCamera(model, WIDTH, HEIGHT, seed)
    tracker = FaceTracker(reconstructor.quick_engine, reconstructor.detector)
    views, seen = BestViews(), list[tuple[int, int, Sighting]]()
    for row, image in enumerate(camera.frames(drawn)):
        for face, sighting in tracker.step(image, float(drawn.times[row])).items():
            views.offer(image, row, face, sighting)
            seen.append((row, face, sighting))
    return History.of(seen), drawn.times, views


@pytest.mark.parametrize(("two", "right"), [(True, 6), (False, 7)], ids=["another", "same"])
def test_a_cut_to_somebody_of_the_same_colour(
    reconstructor: FaceReconstructor, two: bool, right: int
) -> None:
    """The tracker begins anew at a cut; who is seen after it, the portraits say.

    By colours and shapes alone, none of the eight strangers was told from the first.
    """
    counts = []
    for seed in SEEDS:
        drawn = scene(reconstructor.model, seed, two)
        history, times, views = followed(reconstructor, drawn, seed)
        assert len(np.unique(history.face)) == 2, "the cut was not noticed"
        counts.append(len(people(history, times, reconstructor.model, views.views)))
    assert counts.count(1 + two) >= right, counts


def test_light_does_not_change_a_portrait(reconstructor: FaceReconstructor) -> None:
    """Half as bright, with a yellow cast, and darker to one side."""
    model = reconstructor.model
    history, _, views = followed(reconstructor, scene(model, 0, two=True), 0)
    portrayer = Portrayer(model)
    (face, _), view = next(iter(views.views.items()))
    index = int(np.flatnonzero((history.face == face) & (history.row == view.row))[0])
    image = view.image.astype(np.float32)
    slope = np.linspace(0.35, 0.7, image.shape[1], dtype=np.float32)[:, None]
    lit = np.clip(image * slope * [1.0, 0.95, 0.7], 0, 255).astype(np.uint8)
    jpeg = cv2.imencode(".jpg", lit[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, 95))[1].reshape(-1)
    before = portrayer.portrait(view, history, index)
    after = portrayer.portrait(replace(view, jpeg=np.asarray(jpeg, np.uint8)), history, index)
    other = next(v for (f, _), v in views.views.items() if f != face)
    there = int(np.flatnonzero((history.face != face) & (history.row == other.row))[0])
    same, stranger = (
        unlikeness([before], [p]) for p in (after, portrayer.portrait(other, history, there))
    )
    assert same is not None
    assert stranger is not None
    assert same < 0.15
    assert stranger > 3 * same


def test_unlikeness_in_closed_form() -> None:
    """One less the correlation where both are seen, of the two that are most alike."""
    seen = np.ones((64, 64), np.float32)
    columns = np.tile(np.array([1, -1], np.float32), (64, 32))
    rows = np.ascontiguousarray(columns.T)
    a, b = Portrait(columns, seen), Portrait(rows, seen)
    assert unlikeness([a], [a]) == pytest.approx(0, abs=1e-3)
    assert unlikeness([a], [b]) == pytest.approx(1, abs=1e-3)
    assert unlikeness([a], [Portrait(-columns, seen)]) == pytest.approx(2, abs=1e-3)
    assert unlikeness([b, a], [Portrait(3 * columns, seen)]) == pytest.approx(0, abs=1e-3)


def test_sides_that_nobody_saw_are_not_compared() -> None:
    left = np.zeros((64, 64), np.float32)
    left[:, :30] = 1
    features = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    a, b = Portrait(features, left), Portrait(features, np.ascontiguousarray(left[:, ::-1]))
    assert unlikeness([a], [b]) is None
    assert unlikeness([], [a]) is None
