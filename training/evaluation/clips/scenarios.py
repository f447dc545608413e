"""What happens in a clip that we draw ourselves: who is there, how they move, where it is cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import N_EXPRESSION, N_SHAPE, MorphableModel
from backend.morphable_model.parameters import FaceParameters

Array = NDArray[np.floating]

# Ticks of a video file's clock in a second: all usual frame rates are whole numbers of them.
CLOCK = 90_000
RATES = {
    "23.976": Fraction(24_000, 1001),
    "25": Fraction(25),
    "29.97": Fraction(30_000, 1001),
    "60": Fraction(60),
    "variable": None,
}
# Frames of a variable rate last one of these numbers of ticks: 60, 30, 24 and 15 a second.
VARIABLE_TICKS = (1500, 3000, 3750, 6000)
# Height of a head in the picture, in parts of the picture's height, and in millimetres.
HEAD_SHARE, HEAD_MILLIMETRES = 0.5, 211.0
# Standard deviations of shapes and of moving expressions.
SHAPE_SPREAD, EXPRESSION_SPREAD = 0.7, 1.2


@dataclass(frozen=True)
class Person:
    """Somebody's identity and motion.

    Attributes
    ----------
    alpha_shape
        (40,) as in the 62 parameters.
    angles
        (F, 3) yaw, pitch, roll in degrees, 300W-LP's convention.
    scale
        (F,) image pixels per millimetre; the larger is in front.
    place
        (F, 2) the model's origin, image pixels.
    expression
        (F, 10) standard deviations.
    present
        (F,) whether the person is drawn.
    """

    alpha_shape: Array
    angles: Array
    scale: Array
    place: Array
    expression: Array
    present: NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """Where the camera stands in a shot.

    Attributes
    ----------
    room
        Its number; each room has a light of its own.
    turn
        Yaw, pitch and roll in degrees by which everything, the light too, is turned as seen.
    """

    room: int
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Scene:
    """What a clip shows.

    Attributes
    ----------
    ticks
        (F,) int64 times of the frames, 90,000 to a second, the first at 0.
    shots
        (F,) int64 numbers of shots; each has a background of its own.
    people
        In the order in which they appear, from left to right.
    settings
        By shot; without them each shot is in a room of its own.
    """

    ticks: NDArray[np.int64]
    shots: NDArray[np.int64]
    people: tuple[Person, ...]
    settings: tuple[Setting, ...] = ()

    def setting(self, shot: int) -> Setting:
        """Where the camera stands in a shot."""
        return self.settings[shot] if self.settings else Setting(shot)

    @property
    def times(self) -> NDArray[np.float64]:
        """(F,) seconds."""
        return self.ticks / CLOCK


@dataclass(frozen=True)
class Stage:
    """What a scenario is given.

    Attributes
    ----------
    model
        The morphable model.
    times
        (F,) seconds.
    width, height
        Of the picture.
    rng
        Draws identities and motions.
    """

    model: MorphableModel
    times: NDArray[np.float64]
    width: int
    height: int
    rng: np.random.Generator

    @property
    def part(self) -> NDArray[np.float64]:
        """(F,) times in parts of the clip's length."""
        return self.times / max(self.times[-1], 1e-9)

    def person(self, turn: float = 1.0, alive: float = 1.0, x: float = 0.5) -> Person:
        """Somebody who turns and moves about a place.

        Parameters
        ----------
        turn
            How far: 1 reaches 45 degrees of yaw, 12 of pitch, 10 of roll.
        alive
            How much the expression moves; 0 is a still neutral face.
        x
            The middle of the place, in parts of the width.
        """
        model, rng, n = self.model, self.rng, len(self.times)
        mean, sigma = FaceParameters(model.parameter_mean).alpha_shape, model.shape_sigma
        shape = mean + SHAPE_SPREAD * np.clip(rng.standard_normal(N_SHAPE), -2, 2) * sigma
        wave = np.sin(2 * np.pi * self.times[:, None] / [4.0, 2.7, 3.3, 2.3, 3.1, 3.7])
        size = HEAD_SHARE * self.height / HEAD_MILLIMETRES
        scale = size * (1 + 0.08 * turn * wave[:, 3])
        swing = turn * 0.04 * self.height * wave[:, 4:6]
        return Person(
            alpha_shape=shape.astype(np.float32),
            angles=turn * wave[:, :3] * [45.0, 12.0, 10.0],
            scale=scale,
            place=np.add([x * self.width, 0.5 * self.height], swing),
            expression=alive * EXPRESSION_SPREAD * _babble(self.times, rng),
            present=np.ones(n, bool),
        )


def _babble(times: Array, rng: np.random.Generator) -> Array:
    """(F, 10) about unit curves of two waves each, 0.3 to 1.5 a second."""
    frequency = rng.uniform([[0.3], [0.8]], [[0.8], [1.5]], (2, N_EXPRESSION))
    phase = rng.uniform(0, 2 * np.pi, (2, N_EXPRESSION))
    return np.sin(2 * np.pi * frequency * times[:, None, None] + phase).sum(axis=1)


def _turn(stage: Stage) -> Scene:
    return _one_shot(stage, stage.person())


def _still(stage: Stage) -> Scene:
    person = stage.person(turn=0, alive=0)
    return _one_shot(stage, replace(person, angles=np.add(person.angles, [10.0, -4.0, 3.0])))


def _gap(stage: Stage) -> Scene:
    person = stage.person(turn=0.5)
    hidden = (stage.part >= 0.4) & (stage.part < 0.6)
    return _one_shot(stage, replace(person, present=~hidden))


def _leaving(stage: Stage) -> Scene:
    """Out of the picture to the right, and back."""
    person = stage.person(turn=0.5)
    away = np.clip(np.minimum(stage.part - 0.3, 0.7 - stage.part) / 0.15, 0, 1)
    place = person.place + np.outer(away, [0.8 * stage.width, 0])
    inside = place[:, 0] < stage.width - 20 * person.scale
    return _one_shot(stage, replace(person, place=place, present=inside))


def _edge(stage: Stage) -> Scene:
    """Slowly out of the picture at the top, and back."""
    person = stage.person(turn=0.3)
    away = np.clip(np.minimum(stage.part - 0.1, 0.9 - stage.part) / 0.3, 0, 1)
    place = person.place - np.outer(away, [0, 0.9 * stage.height])
    inside = place[:, 1] > -80 * person.scale
    return _one_shot(stage, replace(person, place=place, present=inside))


def _cut(stage: Stage) -> Scene:
    """The same person in the same room, from nearer and from another side."""
    turn = -25.0, 5.0, 0.0
    after = (stage.part >= 0.5).astype(int)
    person = stage.person(turn=0.4)
    person = replace(
        person,
        angles=person.angles + np.outer(after, turn),
        scale=person.scale * (1 + 0.35 * after),
        place=person.place + np.outer(after, [0.2 * stage.width, 0.05 * stage.height]),
    )
    return Scene(ticks_of(stage.times), after, (person,), (Setting(0), Setting(0, turn)))


def _shots(stage: Stage) -> Scene:
    """One person, another elsewhere, and the first again where it was, from shot to shot."""
    shot = ((stage.part >= 1 / 3) & (stage.part < 2 / 3)).astype(int)
    first, second = stage.person(turn=0.5, x=0.4), stage.person(turn=0.5, x=0.6)
    people = replace(first, present=shot == 0), replace(second, present=shot == 1)
    return Scene(ticks_of(stage.times), shot, people)


def _crossing(stage: Stage) -> Scene:
    """Two people change places, the first in front of the second."""
    left, right = stage.person(turn=0.3), stage.person(turn=0.3)
    way = 0.28 * stage.width * np.cos(np.pi * np.clip((stage.part - 0.2) / 0.6, 0, 1))
    shift = np.column_stack([way, np.zeros_like(way)])
    left = replace(left, place=left.place - shift, scale=0.85 * left.scale)
    right = replace(right, place=right.place + shift, scale=0.65 * right.scale)
    return _one_shot(stage, left, right)


SCENARIOS: dict[str, Callable[[Stage], Scene]] = {
    "turn": _turn,
    "still": _still,
    "gap": _gap,
    "leaving": _leaving,
    "edge": _edge,
    "cut": _cut,
    "shots": _shots,
    "crossing": _crossing,
}


def frame_times(
    rate: Fraction | None, seconds: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(F,) seconds of the frames of a clip; no rate is a variable one."""
    if rate is not None:
        return np.arange(round(rate * Fraction(seconds))) / float(rate)
    # Rates change every now and then, as those of phones and screen recordings do.
    runs = rng.choice(VARIABLE_TICKS, 1 + int(60 * seconds) // 5)
    ticks = np.concatenate([[0], np.cumsum(np.repeat(runs, 5))])
    return ticks[ticks < seconds * CLOCK] / CLOCK


def ticks_of(times: Array) -> NDArray[np.int64]:
    """(F,) seconds on the clock of a video file."""
    return np.rint(np.asarray(times) * CLOCK).astype(np.int64)


def _one_shot(stage: Stage, *people: Person) -> Scene:
    ticks = ticks_of(stage.times)
    return Scene(ticks, np.zeros_like(ticks), people)
