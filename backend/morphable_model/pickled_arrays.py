"""Arrays out of a pickle file, without executing what it says.

3DDFA's whitening exists only as a pickled dictionary of NumPy arrays, its training labels as a
pickled array. A pickle is a program for a machine that calls what it names; a few bytes suffice to
overflow the stack of Python's own, or to keep it busy for ever. The one here knows the instructions
by which NumPy's arrays are pickled, calls nothing, and makes nothing that is deeper or larger than
such arrays need.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError

MAX_BYTES = 2**20
DTYPES = ("f2", "f4", "f8")
# A dictionary of two arrays has 170.
MAX_INSTRUCTIONS = 10_000
# As many as an array may have axes.
MAX_TUPLE = 32


class _RefusedError(Exception):
    """The pickle holds what no pickled array needs."""


@dataclass(frozen=True)
class _Name:
    """What a pickle calls something outside of itself."""

    name: str


@dataclass
class _Type:
    """What becomes a ``numpy.dtype``: a float's size and byte order."""

    name: str
    order: str = "|"

    def build(self, state: tuple[Any, ...]) -> None:
        """Take the byte order from what NumPy keeps beside the name."""
        if state[1] not in ("<", ">", "|", "="):
            raise _RefusedError("an unknown byte order")
        self.order = state[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The real one."""
        return np.dtype(self.order + self.name)


@dataclass
class _Array:
    """What becomes an array."""

    values: NDArray[np.floating] | None = None

    def build(self, state: tuple[Any, ...]) -> None:
        """Take shape, type and numbers."""
        _, shape, kind, columns_first, data = state
        if not isinstance(kind, _Type) or not isinstance(data, bytes):
            raise _RefusedError("not a plain array of floats")
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise _RefusedError("an impossible shape")
        if math.prod(shape) * kind.dtype.itemsize != len(data):
            raise _RefusedError("an array shorter or longer than its shape says")
        flat = np.frombuffer(data, kind.dtype)
        self.values = flat.reshape(shape, order="F" if columns_first else "C").copy()


NDARRAY, DTYPE, BYTES = _Name("numpy.ndarray"), _Name("numpy.dtype"), _Name("_codecs.encode")
RECONSTRUCT = (
    _Name("numpy.core.multiarray._reconstruct"),
    _Name("numpy._core.multiarray._reconstruct"),
)
KNOWN_NAMES = (NDARRAY, DTYPE, BYTES, *RECONSTRUCT)
LITERALS = (
    *("INT", "BININT", "BININT1", "BININT2"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
)
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
REMEMBER = ("PUT", "BINPUT", "LONG_BINPUT")
RECALL = ("GET", "BINGET", "LONG_BINGET")
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IGNORED = ("PROTO", "FRAME")


class _Machine:
    """Carries out a pickle's instructions, one after the other.

    Parameters
    ----------
    size
        Bytes of the pickle. What is made of it is no larger: each number once as bytes that were
        text, and once in an array.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._room = 2 * size
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._instructions: dict[str, Callable[[], None]] = {
            "MARK": lambda: self._marks.append(len(self._stack)),
            "TUPLE": lambda: self._push_tuple(self._above_mark()),
            "EMPTY_DICT": lambda: self._stack.append({}),
            "DICT": self._dict,
            "SETITEM": lambda: self._set_items(self._above(len(self._stack) - 2)),
            "SETITEMS": lambda: self._set_items(self._above_mark()),
            "MEMOIZE": lambda: self._remember(len(self._memo)),
            "STACK_GLOBAL": lambda: self._push_name(".".join(self._above(len(self._stack) - 2))),
            "REDUCE": self._reduce,
            "BUILD": self._build,
        }

    def run(self, data: bytes) -> Any:
        """Return what the pickle leaves."""
        for count, (opcode, value, _) in enumerate(pickletools.genops(data)):
            if count == MAX_INSTRUCTIONS:
                raise _RefusedError("it has too many instructions")
            if opcode.name == "STOP":
                break
            self._do(opcode.name, value)
        return self._stack.pop()

    def _do(self, name: str, value: Any) -> None:
        if name in self._instructions:
            self._instructions[name]()
        elif name in LITERALS:
            self._stack.append(value)
        elif name in CONSTANTS:
            self._stack.append(CONSTANTS[name])
        elif name in TUPLES:
            self._push_tuple(self._above(len(self._stack) - TUPLES[name]))
        elif name in REMEMBER:
            self._remember(int(value))
        elif name in RECALL:
            self._stack.append(self._memo[int(value)])
        elif name == "GLOBAL":
            self._push_name(value.replace(" ", "."))
        elif name not in IGNORED:
            raise _RefusedError(f"it has the instruction {name}, which no array needs")

    def _above(self, place: int) -> list[Any]:
        if place < 0:
            raise _RefusedError("it takes what is not there")
        taken = self._stack[place:]
        del self._stack[place:]
        return taken

    def _above_mark(self) -> list[Any]:
        return self._above(self._marks.pop())

    def _push_tuple(self, items: list[Any]) -> None:
        """Push a tuple of anything but what was made of other tuples: an array's state."""
        if len(items) > MAX_TUPLE or any(
            isinstance(i, _Array | dict) or _is_nested(i) for i in items
        ):
            raise _RefusedError("it nests deeper than an array")
        self._stack.append(tuple(items))

    def _dict(self) -> None:
        items = self._above_mark()
        self._stack.append({})
        self._set_items(items)

    def _set_items(self, items: list[Any]) -> None:
        names = items[::2]
        if not all(isinstance(name, str) for name in names):
            raise _RefusedError("it has names that are no text")
        self._stack[-1] |= dict(zip(names, items[1::2], strict=True))

    def _remember(self, number: int) -> None:
        if not 0 <= number <= self._size:
            raise _RefusedError("an impossible memo")
        self._memo[number] = self._stack[-1]

    def _push_name(self, name: str) -> None:
        if _Name(name) not in KNOWN_NAMES:
            raise _RefusedError(f"it names {name[:100]}")
        self._stack.append(_Name(name))

    def _reduce(self) -> None:
        name, arguments = self._above(len(self._stack) - 2)
        if name in RECONSTRUCT:
            made: _Array | _Type | bytes = _Array()
        elif name == DTYPE and arguments[0] in DTYPES:
            made = _Type(arguments[0])
        elif name == BYTES and arguments[1:] in ((), ("latin1",)):
            made = self._bytes(arguments[0])
        else:
            raise _RefusedError("not a plain array of floats")
        self._stack.append(made)

    def _bytes(self, text: str) -> bytes:
        self._take(len(text))
        return text.encode("latin1")

    def _take(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise _RefusedError("it repeats itself")

    def _build(self) -> None:
        (state,) = self._above(len(self._stack) - 1)
        made = self._stack[-1]
        if not isinstance(made, _Array | _Type) or not isinstance(state, tuple):
            raise _RefusedError("not a plain array of floats")
        self._take(sum(len(part) for part in state if isinstance(part, bytes)))
        made.build(state)


def _is_nested(item: Any) -> bool:
    return isinstance(item, tuple) and any(isinstance(inner, tuple) for inner in item)


def read_pickled_arrays(data: bytes, name: str) -> dict[str, NDArray[np.floating]]:
    """Return dictionary of float arrays from the bytes of a pickle.

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
    """Return one float array from the bytes of a pickle of at most `max_bytes`.

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
            raise _RefusedError(f"it is longer than {max_bytes} bytes")
        return _Machine(len(data)).run(data)
    except Exception as error:  # a damaged pickle raises nearly anything
        raise BadInputError(
            f"{name} is not {expected} ({error}).",
            "It was not opened further, because pickle files can run programs.",
        ) from error
