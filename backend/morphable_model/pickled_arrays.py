"""Arrays out of a pickle file, without executing what it says.

3DDFA's whitening exists only as a pickled dictionary of NumPy arrays, its training labels as a
pickled array. A pickle is a program; this reader lets it name the four things that rebuild an
array, and nothing else.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError

MAX_BYTES = 2**20


def _empty_array(subtype: type, shape: tuple[int, ...], kind: Any) -> NDArray[Any]:
    """What NumPy's own helper does for a plain array; its data follow as the state."""
    if subtype is not np.ndarray or tuple(shape) != (0,):
        raise pickle.UnpicklingError("not a plain array")
    return np.empty(0, np.int8)


def _latin1_bytes(text: str, encoding: str = "latin1") -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError("an unexpected encoding")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("_codecs", "encode"): _latin1_bytes,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}") from None


def read_pickled_arrays(data: bytes, name: str) -> dict[str, NDArray[np.floating]]:
    """Dictionary of float arrays from the bytes of a pickle.

    Parameters
    ----------
    data
        The file's bytes.
    name
        What to call it in messages.

    Raises
    ------
    BadInputError
        The pickle is damaged, too large, or holds or does anything else.
    """
    content = _load(data, name, "a plain dictionary of arrays", MAX_BYTES)
    plain = isinstance(content, dict) and all(
        isinstance(key, str) and isinstance(value, np.ndarray) and value.dtype.kind == "f"
        for key, value in content.items()
    )
    if not plain:
        raise BadInputError(f"{name} does not hold a dictionary of float arrays.")
    return content


def read_pickled_array(data: bytes, name: str, max_bytes: int) -> NDArray[np.floating]:
    """One float array from the bytes of a pickle of at most `max_bytes`.

    Raises
    ------
    BadInputError
        As `read_pickled_arrays`.
    """
    content = _load(data, name, "a plain array", max_bytes)
    if not isinstance(content, np.ndarray) or content.dtype.kind != "f":
        raise BadInputError(f"{name} does not hold an array of floats.")
    return content


def _load(data: bytes, name: str, expected: str, max_bytes: int) -> Any:
    try:
        if len(data) > max_bytes:
            raise pickle.UnpicklingError(f"it is longer than {max_bytes} bytes")
        return _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # a damaged pickle raises nearly anything
        raise BadInputError(
            f"{name} is not {expected} ({error}).",
            "It was not opened further, because pickle files can run programs.",
        ) from error
