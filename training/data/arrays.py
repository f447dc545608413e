"""Arrays of ``.npz`` files that people give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError


def read_arrays(path: Path, required: tuple[str, ...]) -> dict[str, NDArray]:
    """Return all arrays of an ``.npz``.

    Raises
    ------
    BadInputError
        It cannot be read or lacks one.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, AttributeError) as error:
        raise BadInputError(
            f"Cannot use {path}: {error}.", f"It must be an .npz with {', '.join(required)}."
        ) from error
    absent = [name for name in required if name not in arrays]
    if absent:
        raise BadInputError(
            f"Cannot use {path}: it lacks {', '.join(absent)}.",
            f"It must be an .npz with {', '.join(required)}.",
        )
    return arrays
