"""Which shape keys of a stranger's mesh are the 52 expressions, whatever tool has named them.

No ``bpy`` here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..exchange.expressions import EXPRESSION_NAMES

SIDES = ("Left", "Right")


def matched(names: Iterable[str], corrections: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the keys of a mesh that are expressions.

    Parameters
    ----------
    names
        Of the mesh's keys: ``jawOpen``, ``JawOpen``, ``jaw_open``, ``eyeBlink_L``,
        ``Face.M_eyeBlinkLeft``, ...
    corrections
        By expression, the key that somebody has chosen by hand.

    Returns
    -------
    By expression, in the order of `EXPRESSION_NAMES`, the name of the mesh's key.
    """
    there = list(names)
    plain = {_letters(name): name for name in reversed(there)}
    # What stands before a name is the mesh's, set off: Face.jawOpen is jawOpen, lowerJawOpen not.
    ends = {end: name for name in reversed(there) for end in _ends(name)}
    by_hand = {name: key for name, key in (corrections or {}).items() if key in there}
    found = {}
    for name in EXPRESSION_NAMES:
        spellings = [_letters(spelling) for spelling in _spellings(name)]
        guessed = [known[s] for known in (plain, ends) for s in spellings if s in known]
        if name in by_hand or guessed:
            found[name] = by_hand.get(name) or guessed[0]
    return found


def _ends(name: str) -> list[str]:
    words = list(filter(None, map(_letters, re.split(r"[^A-Za-z0-9]+", name))))
    return ["".join(words[first:]) for first in range(1, len(words))]


def _spellings(name: str) -> list[str]:
    """Return a name as Apple has it, and with its side shortened or put first."""
    for side in SIDES:
        if name.endswith(side):
            stem = name.removesuffix(side)
            return [name, stem + side[0], side + stem, f"{side[0]}_{stem}"]
    return [name]


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
