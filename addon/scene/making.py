"""What heads are made of, as the backend is asked for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import bpy

from ..exchange.orders import Keys, Parts
from .key_sets import NAMED, key_set
from .parts import parts_of


@dataclass(frozen=True)
class Making:
    """What a head has.

    Attributes
    ----------
    parts
        The face alone, or skull, eyes and mouth too.
    keys
        The 52 with names, or the face model's own ten; with these the face stays alone.
    """

    parts: Parts = "head"
    keys: Keys = "named"

    @classmethod
    def of(cls, choices: Any) -> Making:
        """From settings or an operator's options."""
        return cls(choices.parts, choices.keys)

    def enough_for(self, heads: Iterable[bpy.types.Object]) -> Making:
        """Return this, and what heads need that are to be updated: they stay what they are."""
        there = list(heads)
        whole, named = any(map(parts_of, there)), any(key_set(head) == NAMED for head in there)
        return Making("head" if whole else self.parts, "named" if named else self.keys)
