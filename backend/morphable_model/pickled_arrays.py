"""Arrays out of a pickle file, without executing what it says.

3DDFA's whitening exists only as a pickled dictionary of NumPy arrays, its training labels as a
pickled array. A pickle is a program that calls what it names. This reader answers the names by
which NumPy's arrays are pickled with stand-ins that take notes, and makes the arrays itself; any
other name ends the reading.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError

MAX_BYTES = 2**20
DTYPES = ("f2", "f4", "f8")


class _Type:
    """Stand-in for ``numpy.dtype``: a float's size and byte order."""

    def __init__(self, name: str, *_: Any) -> None:
        if name not in DTYPES:
            raise pickle.UnpicklingError(f"its type {name!r} is not one of {DTYPES}")
        self._name = name
        self._order = "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("an unknown byte order")
        self._order = state[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The real one."""
        return np.dtype(self._order + self._name)


class _Array:
    """Stand-in for an array that is being read."""

    def __init__(self, *_: Any) -> None:
        self.values: NDArray[np.floating] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, columns_first, data = state
        if not isinstance(kind, _Type) or not isinstance(data, bytes):
            raise pickle.UnpicklingError("not a plain array of floats")
        if not all(type(n) is int and n >= 0 for n in shape):
            raise pickle.UnpicklingError("an impossible shape")
        if math.prod(shape) * kind.dtype.itemsize != len(data):
            raise pickle.UnpicklingError("an array shorter or longer than its shape says")
        flat = np.frombuffer(data, kind.dtype)
        self.values = flat.reshape(shape, order="F" if columns_first else "C").copy()


class _ArrayKind:
    """Stand-in for ``numpy.ndarray``, which is named and never called."""


def _latin1_bytes(text: str, encoding: str = "latin1") -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError("an unexpected encoding")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _ArrayKind,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): _latin1_bytes,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return _STAND_INS[module_name, global_name]
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
    arrays: dict[str, NDArray[np.floating]] = {}
    for key, value in content.items() if isinstance(content, dict) else [(None, content)]:
        if not isinstance(key, str) or not isinstance(value, _Array) or value.values is None:
            raise BadInputError(f"{name} does not hold a dictionary of float arrays.")
        arrays[key] = value.values
    return arrays


def read_pickled_array(data: bytes, name: str, max_bytes: int) -> NDArray[np.floating]:
    """One float array from the bytes of a pickle of at most `max_bytes`.

    Raises
    ------
    BadInputError
        As `read_pickled_arrays`.
    """
    content = _load(data, name, "a plain array", max_bytes)
    if not isinstance(content, _Array) or content.values is None:
        raise BadInputError(f"{name} does not hold an array of floats.")
    return content.values


def _load(data: bytes, name: str, expected: str, max_bytes: int) -> Any:
    try:
        if len(data) > max_bytes:
            raise pickle.UnpicklingError(f"it is longer than {max_bytes} bytes")
        _check_memo(data)
        return _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # a damaged pickle raises nearly anything
        raise BadInputError(
            f"{name} is not {expected} ({error}).",
            "It was not opened further, because pickle files can run programs.",
        ) from error


def _check_memo(data: bytes) -> None:
    """Refuse numbers to remember things by that are too large: Python makes room for all below."""
    for opcode, number, _ in pickletools.genops(data):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(number or 0) > len(data):
            raise pickle.UnpicklingError("an impossible memo")
