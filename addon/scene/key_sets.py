"""Which expression keys a head has: the 52 with names, or the face model's own ten.

A head keeps the set that it was made with. Heads from before there were two have the ten.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..exchange.contract import N_EXPRESSIONS
from ..exchange.expressions import EXPRESSION_NAMES
from ..problems import Problem
from . import identity
from .own_keys import own_keys_kept

# Blender allows no shape-key slider beyond this.
HARD_LIMIT = 10.0


@dataclass(frozen=True)
class KeySet:
    """The expression keys that a head can have.

    Attributes
    ----------
    identifier
        Kept with the head.
    names
        (K,) of the shape keys.
    reach
        How far sliders go at least.
    both_ways
        Whether they go as far below zero.
    """

    identifier: str
    names: tuple[str, ...]
    reach: float
    both_ways: bool


# In standard deviations: three hold almost everybody's expressions.
BFM = KeySet(
    "bfm", tuple(f"Expression_{index:02d}" for index in range(N_EXPRESSIONS)), 3.0, both_ways=True
)
# From nothing to all of it.
NAMED = KeySet("named", EXPRESSION_NAMES, 1.0, both_ways=False)


def key_set(head: bpy.types.Object) -> KeySet:
    """Return the expression keys of a head."""
    return NAMED if head.get(identity.KEYS) == NAMED.identifier else BFM


def expression_key(head: bpy.types.Object, name: str) -> bpy.types.ShapeKey:
    """Return an expression key of a head.

    Raises
    ------
    Problem
        The head has lost it.
    """
    mesh: Any = head.data
    key = mesh.shape_keys.key_blocks.get(name) if mesh.shape_keys else None
    if key is None:
        raise Problem(
            f"The head {head.name!r} has lost the shape key {name!r}.",
            "Undo that, or choose another head.",
        )
    return key


def expression_keys(head: bpy.types.Object) -> list[bpy.types.ShapeKey]:
    """All expression keys of a head; as `expression_key`."""
    return [expression_key(head, name) for name in key_set(head).names]


def key_units(head: bpy.types.Object) -> NDArray[np.float64]:
    """(K,) what one unit of each slider stands for: 1, but where a slider needed more room."""
    usual = np.ones(len(key_set(head).names))
    return np.array(head.get(identity.KEY_UNITS, usual), np.float64)


def make_room(head: bpy.types.Object, amounts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Let the sliders reach (K,) amounts, and never less than before.

    Returns
    -------
    (K,) what one unit of each slider stands for from now on.

    Notes
    -----
    A slider reaches at least its set's `reach`. Beyond Blender's limit of ten the excess moves
    into the key: it then holds more than one standard deviation per unit.
    """
    keys, before = key_set(head), key_units(head)
    units = np.maximum(before, amounts / HARD_LIMIT)
    with own_keys_kept(head, frozenset(keys.names)):
        for index in np.flatnonzero(units > before).tolist():
            _stretch(expression_key(head, keys.names[index]), units[index] / before[index])
    for key, value in zip(expression_keys(head), amounts / units, strict=True):
        reach = max(keys.reach, key.slider_max, -key.slider_min, float(math.ceil(value)))
        key.slider_max = reach
        if keys.both_ways:
            key.slider_min = -reach
    head[identity.KEY_UNITS] = units.tolist()
    return units


def set_values(head: bpy.types.Object, amounts: NDArray[np.floating]) -> None:
    """Set the sliders to (K,) amounts."""
    units = make_room(head, np.abs(amounts))
    for key, value in zip(expression_keys(head), amounts / units, strict=True):
        key.value = value


def _stretch(key: bpy.types.ShapeKey, factor: float) -> None:
    """Multiply what a key adds to the shape that it is relative to."""
    neutral, coordinates = (np.empty(3 * len(key.points), np.float32) for _ in range(2))
    key.relative_key.points.foreach_get("co", neutral)
    key.points.foreach_get("co", coordinates)
    key.points.foreach_set("co", neutral + np.float32(factor) * (coordinates - neutral))
