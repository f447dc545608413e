"""What makes a head: its shape and keys, whichever answer of the backend they come from."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..exchange.contract import WholeHead
from .key_sets import BFM, NAMED, KeySet

# The part that is behind open lips.
CAVITY = "cavity"


class Appearance(Protocol):
    """What makes a head, as in `FaceResult`."""

    @property
    def neutral(self) -> NDArray[np.float32]: ...

    @property
    def expression(self) -> NDArray[np.float32]: ...

    @property
    def texture_png(self) -> NDArray[np.uint8]: ...

    @property
    def whole(self) -> WholeHead | None: ...

    @property
    def amounts(self) -> NDArray[np.float32]: ...


def key_set_of(face: Appearance) -> KeySet:
    """Return the keys that a new head gets."""
    return BFM if face.whole is None else NAMED


def has_cavity(face: Appearance) -> bool:
    """Whether there is something behind its open lips."""
    return face.whole is not None and CAVITY in face.whole.parts
