"""What a face does, as it crosses the wire: the 52 keys and the directions of the eyes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..expressions import EXPRESSION_NAMES
from .container import ContractError
from .fields import array

N_KEYS, N_ANGLES = len(EXPRESSION_NAMES), 4
NO_AMOUNTS = np.zeros((0, 0), np.float32)


def keys_and_gaze(
    arrays: dict[str, NDArray[Any]], prefix: str, rows: int
) -> dict[str, NDArray[np.float32]]:
    """Read ``amounts`` (N, 52) and ``gaze`` (N, 4); without columns where nobody knows them.

    Parameters
    ----------
    prefix
        Of the arrays' names.
    rows
        N.

    Raises
    ------
    ContractError
        They have another shape, one is there without the other, or an amount lies outside of 0
        to 1. Rows may be NaN as a whole, in gaps.
    """
    amounts = array(arrays, f"{prefix}amounts", "<f4", (rows, None))
    gaze = array(arrays, f"{prefix}gaze", "<f4", (rows, None))
    if (amounts.shape[1], gaze.shape[1]) not in ((0, 0), (N_KEYS, N_ANGLES)):
        raise ContractError(
            f"Faces have {amounts.shape[1]} amounts and {gaze.shape[1]} angles of the eyes, not "
            f"{N_KEYS} and {N_ANGLES}."
        )
    if ((amounts < 0) | (amounts > 1)).any() or np.isinf(gaze).any():
        raise ContractError("An amount lies outside of 0 to 1, or a direction is infinite.")
    return {"amounts": amounts, "gaze": gaze}
