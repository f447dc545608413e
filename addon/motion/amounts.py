"""Amounts of named keys in the order that everything here has them. No ``bpy`` here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..exchange.expressions import EXPRESSION_NAMES


def in_order(names: Sequence[str], amounts: NDArray[np.floating]) -> NDArray[np.float32]:
    """(..., K) amounts of the keys `names` as (..., 52), in the order of `EXPRESSION_NAMES`.

    Keys that are not among them are 0, and rows of NaN stay without numbers.
    """
    ordered = np.zeros((*amounts.shape[:-1], len(EXPRESSION_NAMES)), np.float32)
    places = {name: index for index, name in enumerate(EXPRESSION_NAMES)}
    known = [(k, places[name]) for k, name in enumerate(names) if name in places]
    if known:
        here, there = map(list, zip(*known, strict=True))
        ordered[..., there] = amounts[..., here]
        ordered[np.isnan(amounts).all(axis=-1)] = np.nan
    return ordered
