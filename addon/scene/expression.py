"""The expression of a head that is not animated: neutral, or as in its photo."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..problems import Problem
from . import identity
from .compat import present_curves
from .key_sets import NAMED, key_set, set_values


def make_neutral(head: bpy.types.Object) -> None:
    """Set all expression keys to 0.

    Raises
    ------
    Problem
        They are animated, or one is lost.
    """
    _set(head, np.zeros(len(key_set(head).names)))


def show_photo_expression(head: bpy.types.Object) -> None:
    """Set the expression keys as in the photo that the head was made from.

    Raises
    ------
    Problem
        It was made from a clip; its keys are animated, or one is lost.
    """
    values = list(head.get(_stored(head), ()))
    if not values:
        raise Problem(f"The head {head.name!r} was not made from a photo.", "Set its keys by hand.")
    _set(head, np.array(values))


def has_photo_expression(head: bpy.types.Object) -> bool:
    """Whether it is known what expression the head's photo shows."""
    return bool(head.get(_stored(head)))


def _stored(head: bpy.types.Object) -> str:
    return identity.AMOUNTS if key_set(head) == NAMED else identity.EXPRESSION


def _set(head: Any, amounts: Any) -> None:
    keys = head.data.shape_keys
    if keys is not None and len(present_curves(keys)):
        raise Problem(
            f"The expression of the head {head.name!r} is animated.",
            "Unlink the action of its shape keys first.",
        )
    set_values(head, amounts)
