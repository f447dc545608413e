"""The 52 keys of the model's mean head, and of everybody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.expressions.closing import Closure, eye_centre
from backend.expressions.deltas import KeyDeltas
from backend.expressions.stretch import LocalStretch

Float = NDArray[np.floating]

BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
OPEN, CLOSE = "jawOpen", "mouthClose"


@dataclass(frozen=True)
class ExpressionBasis:
    """What `assets fetch` builds.

    Attributes
    ----------
    keys
        Of the mean head; lids and lips don't meet exactly yet.
    eyes, mouth
        How lids (left, right) and lips close.
    stretch
        How sizes follow a person.
    """

    keys: KeyDeltas
    eyes: tuple[Closure, Closure]
    mouth: Closure
    stretch: LocalStretch

    def of_person(self, neutral: Float) -> KeyDeltas:
        """The keys of one person: of the face's sizes, with lids and lips that meet.

        Parameters
        ----------
        neutral
            (V, 3) float32, the person's head without expression, millimetres in the model frame.
        """
        maps = self.stretch.of(neutral)
        keys = self.keys
        stretched = np.einsum("nij,nj->ni", maps[keys.vertices], keys.deltas)
        keys = keys.with_deltas(np.ascontiguousarray(stretched, np.float32))
        for name, closure in zip(BLINKS, self.eyes, strict=True):
            _close(keys, name, neutral, closure, eye_centre(neutral, closure))
        _close(keys, CLOSE, neutral + keys.dense(OPEN), self.mouth, None)
        return keys


def _close(
    keys: KeyDeltas, name: str, open_face: Float, closure: Closure, centre: Float | None
) -> None:
    """Have a key close an opening of a face, in place."""
    delta = keys.dense(name)
    delta *= closure.closing_scale(open_face, delta)
    delta[closure.around] += closure.close(open_face + delta, centre)
    closure.fill_inside(delta)
    keys.deltas[keys.rows(name)] = delta[keys.key(name)[0]]
