"""Which people a training never sees."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError

# One person in so many is held out, if nothing else is said.
ONE_IN = 10


def is_held_out(identity: str, one_in: int) -> bool:
    """Tell whether a person belongs to the validation set; depends on the name alone."""
    digest = hashlib.sha256(identity.encode()).digest()
    return int.from_bytes(digest[:4], "little") % one_in == 0


def are_held_out(identities: NDArray[np.str_], one_in: int) -> NDArray[np.bool_]:
    """Return (N,) which faces are of people of the validation set, by the (N,) names of these
    people.

    Raises
    ------
    BadInputError
        `one_in` is less than 1.
    """
    if one_in < 1:
        raise BadInputError(f"One person in {one_in} cannot be held out.", "Give 1 or more.")
    people, person = np.unique(identities, return_inverse=True)
    return np.array([is_held_out(str(name), one_in) for name in people], bool)[person]
