"""Who is seen: one shape for all of a face's sightings, and which faces are the same person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
from backend.morphable_model.boxes import CROP_SIZE
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.tracking.best_views import View
from backend.tracking.history import History
from backend.tracking.portrait import Portrait, Portrayer, unlikeness

Array = NDArray[np.floating]

# Pixels per millimetre of a face from which more resolution does not matter: the network's crop.
FULL_SCALE = 0.6
# By how much features (see `portrait.unlikeness`), colours (in units of L*a*b*) and shapes (in
# standard deviations of the model) of one person differ within a clip, at most. Colours change with
# the light, and the network makes shapes alike: features weigh most.
FEATURE_NOISE, COLOR_NOISE, SHAPE_NOISE = 0.44, 40.0, 0.35
# Distance up to which two faces are one person. A wrong join spoils two people, a wrong split one.
# Measured on 983 films of 296 people, three frames each; the numbers above were chosen on half of
# the people. Of the other half are joined: 96 % of the faces of one film, 22 % of one person's in
# two films, 0.8 % of two people's, and 2.9 % of two people's whose colours differ by less than 20.
# By shape and colours alone, without features, it was 96, 22, 6.0 and 47 %.
SAME_PERSON = 1.18
# A face that was lost for so many seconds is found again by its place as well: so many sides of its
# box around where it was. Without a pause it is a cut, after which places tell nothing.
NEAR_SECONDS, NEAR_SIDES = (0.3, 2.0), 0.7
NEAR_BONUS = 0.8


def trust(history: History) -> Array:
    """(N,) how far each sighting tells of the shape: near, sharp, frontal and believed."""
    matrix = FaceParameters(history.parameters).matrix[:, :, :3]
    norm = np.linalg.norm(matrix, axis=2)[:, :2].mean(axis=1)
    facing = np.clip(matrix[:, 2, 2] / np.maximum(norm, 1e-12), 0.05, 1)
    scale = norm * MICROMETRES_PER_MILLIMETRE * history.box[:, 2] / CROP_SIZE
    sharp = history.sharpness / (history.sharpness + np.median(history.sharpness) + 1e-6)
    return history.confidence**2 * facing**2 * sharp * np.clip(scale / FULL_SCALE, 0.1, 1)


def common_shape(history: History, model: MorphableModel) -> NDArray[np.float32]:
    """(40,) float32, the shape of all sightings: their geometric median, weighted by `trust`.

    Unlike the mean it is not drawn away by the frames in which the network was wrong.

    Notes
    -----
    Weiszfeld's iteration, in standard deviations.
    """
    shapes = FaceParameters(history.parameters).alpha_shape / model.shape_sigma
    weights = trust(history)
    centre = np.average(shapes, axis=0, weights=weights)
    for _ in range(30):
        distance = np.linalg.norm(shapes - centre, axis=1)
        centre = np.average(shapes, axis=0, weights=weights / np.maximum(distance, 0.05))
    return (centre * model.shape_sigma).astype(np.float32)


def most_visible(persons: list[History], count: int) -> list[History]:
    """At most so many of several people, those who are largest over time, in the same order."""
    area = [float((p.box[:, 2] ** 2 * p.confidence).sum()) for p in persons]
    chosen = np.argsort(area, kind="stable")[::-1][:count]
    return [persons[index] for index in sorted(chosen.tolist())]


@dataclass(frozen=True)
class _Person:
    """Faces that were found to be the same, with what is needed to compare them."""

    faces: tuple[int, ...]
    seen: History
    shape: Array
    colors: Array
    portraits: list[Portrait]

    @classmethod
    def of(
        cls, faces: tuple[int, ...], seen: History, portraits: list[Portrait], model: MorphableModel
    ) -> _Person:
        shape = common_shape(seen, model) / model.shape_sigma
        return cls(faces, seen, shape, np.median(seen.colors, axis=0), portraits)


def people(
    history: History,
    times: Array,
    model: MorphableModel,
    views: Mapping[tuple[int, int], View],
    report: Callable[[], None] = lambda: None,
) -> list[History]:
    """Sightings by person: faces that came back, after a gap or a cut, are found to be the same.

    The nearest two are joined until no two are near; people who are seen in the same frame are
    not the same.

    Parameters
    ----------
    times
        (F,) seconds of the frames.
    views
        The best of every face, as `BestViews` has them.
    report
        Called before each portrait and each comparison, if there are several faces; may raise to
        stop.

    Returns
    -------
    By first appearance, and from left to right.
    """
    if len(np.unique(history.face)) < 2:
        return [history] if len(history) else []
    portraits = _portraits(history, model, views, report)
    persons = [
        _Person.of((face,), history[history.face == face], portraits[face], model)
        for face in np.unique(history.face).tolist()
    ]
    known: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    while len(persons) > 1:
        pairs = [(a, b) for i, a in enumerate(persons) for b in persons[i + 1 :]]
        for a, b in pairs:
            if (a.faces, b.faces) not in known:
                report()
                known[a.faces, b.faces] = _distance(a, b, times)
        a, b = min(pairs, key=lambda pair: known[pair[0].faces, pair[1].faces])
        if known[a.faces, b.faces] > SAME_PERSON:
            break
        faces = (*a.faces, *b.faces)
        chosen = history[np.isin(history.face, faces)]
        joined = _Person.of(faces, chosen, [*a.portraits, *b.portraits], model)
        persons = [p for p in persons if p is not a and p is not b] + [joined]
    persons.sort(key=lambda p: (p.seen.row[0], p.seen.box[0, 0]))
    return [person.seen for person in persons]


def _portraits(
    history: History,
    model: MorphableModel,
    views: Mapping[tuple[int, int], View],
    report: Callable[[], None],
) -> dict[int, list[Portrait]]:
    """Portraits of every face."""
    portraits: dict[int, list[Portrait]] = {face: [] for face in np.unique(history.face).tolist()}
    portrayer = Portrayer(model)
    for (face, _), view in views.items():
        report()
        index = np.flatnonzero((history.face == face) & (history.row == view.row))[0]
        portraits[face].append(portrayer.portrait(view, history, int(index)))
    return portraits


def _distance(a: _Person, b: _Person, times: Array) -> float:
    """How unlike two people are: 1 is what one person's sightings differ by; inf if never same."""
    if np.intersect1d(a.seen.row, b.seen.row).size:
        return np.inf
    unlike = unlikeness(a.portraits, b.portraits)
    # Faces that were never seen from one side can be the same, but hardly anything says so.
    features = 1.0 if unlike is None else unlike / FEATURE_NOISE
    color = np.sqrt(np.mean((a.colors - b.colors) ** 2)) / COLOR_NOISE
    shape = np.sqrt(np.mean((a.shape - b.shape) ** 2)) / SHAPE_NOISE
    return float(np.sqrt(features**2 + color**2 + shape**2)) - NEAR_BONUS * _follows(a, b, times)


def _follows(a: _Person, b: _Person, times: Array) -> bool:
    """Whether one appears soon after and near where the other was lost."""
    first, then = (a.seen, b.seen) if a.seen.row[0] < b.seen.row[0] else (b.seen, a.seen)
    start = then.row[0]
    before = np.flatnonzero(first.row < start)[-1]
    pause = times[start] - times[first.row[before]]
    shift = np.linalg.norm(then.box[0, :2] - first.box[before, :2]) / first.box[before, 2]
    return bool(NEAR_SECONDS[0] < pause < NEAR_SECONDS[1] and shift < NEAR_SIDES)
