"""Things drawn before unwrapped faces: masks, glasses, caps, hands and whatever else there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
# What NumPy makes of products with its own random numbers.
Floating = NDArray[np.floating]
Random = np.random.Generator

# Knots of the noise whose hills are shapes and stains, and of noise as broad as light is.
KNOTS, BROAD = (3, 4, 6, 9, 14), (2, 3, 4)


@dataclass(frozen=True)
class Places:
    """Where the parts of a face lie in the chart.

    Attributes
    ----------
    landmarks
        (68, 2) float32 x, y in texels.
    size
        Texels on each side.
    """

    landmarks: Float
    size: int

    @property
    def width(self) -> float:
        """Distance between the outer corners of the eyes, the unit of all that is drawn."""
        return float(np.linalg.norm(self.landmarks[45] - self.landmarks[36]))

    def eye(self, side: int) -> Float:
        """(2,) middle of the eye on the image's left (0) or right (1)."""
        first = 36 + 6 * side
        return self.landmarks[first : first + 6].mean(axis=0)


def random_cover(places: Places, random: Random) -> Float:
    """Draw the shape of one thing.

    Returns
    -------
    (S, S) float32 from 0 to 1, 1 where it covers the face.
    """
    draw = SHAPES[random.choice(len(SHAPES), p=SHARES)]
    shape = draw(places, random)
    sharpness = random.uniform(0.3, 1.6) * places.size / 128
    return np.asarray(cv2.GaussianBlur(shape, (0, 0), sharpness), np.float32)


def mask(places: Places, random: Random) -> Float:
    """Draw a mask from the nose's bridge, or lower, to below the chin."""
    points, width = places.landmarks, places.width
    top = points[27] + random.uniform(0, 1.1) * (points[33] - points[27])
    drop = random.uniform(0.05, 0.5) * (points[33, 1] - points[27, 1])
    reach = random.uniform(0.35, 1.0)
    sides = [points[i] + reach * (points[j] - points[i]) for i, j in ((31, 2), (35, 14))]
    low = random.uniform(-0.05, 0.35) * width
    jaw = points[3:14] * 1.0
    jaw[:, 1] += low * np.sin(np.linspace(0, np.pi, len(jaw)))
    left, right = sides[0] + [0, drop], sides[1] + [0, drop]
    return _filled(places, [left, top, right, *jaw[::-1]], random, 0.06 * width)


def edge(places: Places, random: Random) -> Float:
    """Draw what comes from one side: a cap's rim, a scarf, a collar, a phone, hair's like."""
    size, width = places.size, places.width
    y, x = np.mgrid[:size, :size].astype(np.float32)
    middle = places.landmarks[[27, 33]].mean(axis=0)
    x, y = (x - middle[0]) / width, (y - middle[1]) / width
    turn = random.choice([0, np.pi, np.pi / 2, -np.pi / 2], p=[0.4, 0.4, 0.1, 0.1])
    turn += random.normal(0, 0.15)
    along, across = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    bend = random.normal(0, 0.25) * along**2 + random.normal(0, 0.1) * np.sin(
        along * random.uniform(2, 9) + random.uniform(0, 6)
    )
    return (across + bend > random.uniform(0.12, 0.75)).astype(np.float32)


def lenses(places: Places, random: Random) -> Float:
    """Draw dark or bright lenses with their frame and bridge."""
    width = places.width
    half = np.array([random.uniform(0.2, 0.36), random.uniform(0.13, 0.3)]) * width
    squareness = random.uniform(1.8, 5)
    lift = random.normal(0, 0.05) * width
    size = places.size
    y, x = np.mgrid[:size, :size].astype(np.float32)
    shape = np.zeros((size, size), np.float32)
    for side in (0, 1):
        centre = places.eye(side) + np.array([random.normal(0, 0.02) * width, lift])
        shape[np.abs((x - centre[0]) / half[0]) ** squareness
              + np.abs((y - centre[1]) / half[1]) ** squareness < 1] = 1  # fmt: skip
    bridge = np.array([0, lift - 0.2 * half[1]])
    ends = [places.eye(0) + bridge, places.eye(1) + bridge]
    if random.random() < 0.75:
        _line(shape, ends, random.uniform(0.01, 0.06) * width)
    if random.random() < 0.5:
        for side in (0, 1):
            away = places.eye(side) + np.array([(2 * side - 1) * width, lift])
            _line(shape, [ends[side], away], random.uniform(0.01, 0.05) * width)
    return shape


def stick(places: Places, random: Random) -> Float:
    """Draw a microphone, a spoon, a straw: something round on something long."""
    width, size = places.width, places.size
    near = places.landmarks[random.choice([8, 33, 51, 57, 66, 4, 12])]
    end = near + random.normal(0, 0.12, 2) * width
    turn = random.uniform(0, 2 * np.pi)
    shape = np.zeros((size, size), np.float32)
    round_ = int(random.uniform(0.05, 0.22) * width)
    cv2.circle(shape, _point(end), max(round_, 1), 1, -1)
    _line(shape, [end, end + 3 * width * np.array([np.cos(turn), np.sin(turn)])],
          random.uniform(0.03, 0.16) * width)  # fmt: skip
    return shape


def fingers(places: Places, random: Random) -> Float:
    """Draw some thick lines beside each other."""
    width = places.width
    start = places.landmarks[random.integers(68)] + random.normal(0, 0.1, 2) * width
    turn = random.uniform(0, 2 * np.pi)
    along = np.array([np.cos(turn), np.sin(turn)])
    thick = random.uniform(0.08, 0.16) * width
    shape = np.zeros((places.size, places.size), np.float32)
    for number in range(random.integers(1, 5)):
        fan = along + random.normal(0, 0.08, 2)
        begin = start + number * 1.25 * thick * along[::-1] * [1, -1]
        begin = begin + random.uniform(0, 0.3) * width * along
        _line(shape, [begin, begin + random.uniform(0.8, 2.5) * width * fan], thick)
    return shape


def piece(places: Places, random: Random) -> Float:
    """Draw a convex piece with corners, anywhere on the face."""
    width = places.width
    centre = places.landmarks[random.integers(68)] + random.normal(0, 0.2, 2) * width
    count = random.integers(3, 9)
    angle = np.sort(random.uniform(0, 2 * np.pi, count))
    radius = random.uniform(0.12, 0.6) * width * random.uniform(0.7, 1.3, count)
    corners = centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _filled(places, list(corners), random, 0.0)


def blobs(places: Places, random: Random) -> Float:
    """Draw the hills of noise."""
    return (noise(places.size, random) > random.uniform(0.5, 1.7)).astype(np.float32)


def noise(size: int, random: Random, knots: Sequence[int] = KNOTS) -> Float:
    """(S, S) smooth noise of standard deviation about 1, of one of some numbers of knots."""
    count = int(random.choice(knots))
    values = random.normal(size=(count, count)).astype(np.float32)
    return np.asarray(cv2.resize(values, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _filled(places: Places, corners: Sequence[Floating], random: Random, jitter: float) -> Float:
    shape = np.zeros((places.size, places.size), np.float32)
    moved = np.array(corners) + random.normal(0, 1, (len(corners), 2)) * jitter
    cv2.fillPoly(shape, [np.round(moved).astype(np.int32)], 1)
    return shape


def _line(shape: Float, ends: Sequence[Floating], thickness: float) -> None:
    cv2.line(shape, _point(ends[0]), _point(ends[1]), 1, max(1, round(thickness)))


def _point(place: Floating) -> tuple[int, int]:
    return round(float(place[0])), round(float(place[1]))


SHAPES: tuple[Callable[[Places, Random], Float], ...] = (
    *(mask, edge, lenses, stick, fingers, piece, blobs),
)
SHARES = (0.18, 0.2, 0.2, 0.2, 0.1, 0.06, 0.06)
