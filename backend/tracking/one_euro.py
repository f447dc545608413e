"""Smoothing of a live motion, whose future is not known: the One-Euro filter.

A low-pass filter whose cutoff rises with the speed, so that what rests does not jitter and what
moves is not late: Casiez, Roussel & Vogel 2012, *1 Euro Filter: A Simple Speed-based Low-pass
Filter for Noisy Input in Interactive Systems*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.exchange.smoothing import (
    conjugate,
    quaternion_product,
    quaternions_of,
    rotation_vectors,
)

Array = NDArray[np.floating]

# Cutoff in hertz of the filter of the speed, as in the paper.
SPEED_CUTOFF = 1.0


@dataclass(frozen=True)
class Cutoff:
    """How the cutoff follows the speed: ``resting + slope * speed`` hertz.

    Attributes
    ----------
    resting
        At no speed: the paper's minimum cutoff.
    slope
        The paper's beta, hertz for a unit a second; one for all components or one for each.
    """

    resting: float
    slope: float | Array

    def __call__(self, speed: Array | float) -> Array | float:
        """Return hertz."""
        return self.resting + self.slope * speed


class OneEuro:
    """Filter of vectors, each component by itself.

    Parameters
    ----------
    cutoff
        By the speed of a component.
    """

    def __init__(self, cutoff: Cutoff) -> None:
        self._cutoff = cutoff
        self._state: tuple[float, Array, Array, Array] | None = None

    def __call__(self, value: Array, time: float) -> Array:
        """Return the smoothed value; `time` in seconds rises from call to call."""
        value = np.asarray(value, np.float64)
        if self._state is None:
            self._state = (time, value, value, np.zeros_like(value))
            return value
        before, raw, smoothed, speed = self._state
        step = time - before
        speed = speed + _share(SPEED_CUTOFF, step) * ((value - raw) / step - speed)
        smoothed = smoothed + _share(self._cutoff(np.abs(speed)), step) * (value - smoothed)
        self._state = (time, value, smoothed, speed)
        return smoothed


class OneEuroRotation:
    """Filter of unit quaternions (w, x, y, z), along the shortest turn.

    Parameters
    ----------
    cutoff
        By the speed in radians a second.
    """

    def __init__(self, cutoff: Cutoff) -> None:
        self._cutoff = cutoff
        self._state: tuple[float, Array, Array, Array] | None = None

    def __call__(self, quaternion: Array, time: float) -> Array:
        """Return the smoothed rotation, of the sign of the one before; see `OneEuro`."""
        quaternion = np.asarray(quaternion, np.float64)
        if self._state is None:
            self._state = (time, quaternion, quaternion, np.zeros(3))
            return quaternion
        before, raw, smoothed, speed = self._state
        step = time - before
        turn = rotation_vectors(quaternion_product(quaternion, conjugate(raw)))
        speed = speed + _share(SPEED_CUTOFF, step) * (turn / step - speed)
        behind = rotation_vectors(quaternion_product(quaternion, conjugate(smoothed)))
        part = _share(self._cutoff(float(np.linalg.norm(speed))), step) * behind
        smoothed = quaternion_product(quaternions_of(part), smoothed)
        self._state = (time, quaternion, smoothed, speed)
        return smoothed


def _share(cutoff: Array | float, step: float) -> Array | float:
    """Tell how far a first-order low-pass filter goes towards a new value, 0 to 1."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)
