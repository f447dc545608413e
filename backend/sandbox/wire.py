"""What goes through the pipes between this process and a child: a line of JSON, then bytes.

Nothing is pickled, and neither side believes a number of the other's before it has been compared
with a limit.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Buffer = bytes | bytearray | memoryview
# As `io.RawIOBase` has them: they may take or give less than they could.
Write = Callable[[Buffer], int | None]
ReadInto = Callable[[memoryview], int | None]

MAX_HEADER = 2**20
MAX_ARRAYS = 1024
MAX_DIMENSIONS = 8
DTYPES = frozenset("|b1 |u1 |i1 <u2 <i2 <u4 <i4 <u8 <i8 <f4 <f8".split())  # noqa: SIM905
_LENGTH = struct.Struct("<I")


class WireError(Exception):
    """What came is not what was agreed on, or nothing comes any more."""


@dataclass(frozen=True)
class Rows:
    """An array that is made while it is sent: memory for all of it is needed at one end only.

    Attributes
    ----------
    shape, dtype
        Of the whole.
    parts
        C-contiguous arrays that follow each other along the first axis.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    parts: Iterable[NDArray[Any]]


@dataclass(frozen=True)
class Answer:
    """What a function in a child gives back.

    Attributes
    ----------
    value
        Anything that JSON holds.
    arrays
        Of the types `DTYPES`; `Rows` come out as arrays.
    """

    value: Any = None
    arrays: Sequence[NDArray[Any] | Rows] = field(default=())


@dataclass(frozen=True)
class Reply:
    """An `Answer` as it has arrived."""

    value: Any
    arrays: list[NDArray[Any]]


def send(write: Write, header: dict[str, Any], buffers: Iterable[Buffer] = ()) -> None:
    """Send a header, and bytes whose lengths it tells."""
    line = json.dumps(header).encode()
    _write_all(write, _LENGTH.pack(len(line)) + line)
    for buffer in buffers:
        _write_all(write, buffer)


def receive(read_into: ReadInto) -> dict[str, Any]:
    """Read a header.

    Raises
    ------
    WireError
        It is none, too long, or cut off.
    """
    (length,) = _LENGTH.unpack(read_bytes(read_into, _LENGTH.size))
    if length > MAX_HEADER:
        raise WireError(f"a header of {length} bytes")
    try:
        header = json.loads(bytes(read_bytes(read_into, length)))
    except ValueError as error:
        raise WireError("a header that is no JSON") from error
    if not isinstance(header, dict):
        raise WireError("a header that is no object")
    return header


def read_bytes(read_into: ReadInto, length: int) -> bytearray:
    """Read so many bytes.

    Raises
    ------
    WireError
        There are fewer.
    """
    data = bytearray(length)
    _read_all(read_into, memoryview(data))
    return data


def send_answer(write: Write, answer: Answer) -> None:
    """Send an answer; its rows are made as they go.

    Raises
    ------
    WireError
        An array is of another type than `DTYPES`.
    """
    kinds = [{"dtype": each.dtype.str, "shape": list(each.shape)} for each in answer.arrays]
    if not {kind["dtype"] for kind in kinds} <= DTYPES:
        raise WireError(f"arrays of {kinds}")
    send(write, {"value": answer.value, "arrays": kinds}, _bytes_of(answer.arrays))


def read_answer(read_into: ReadInto, header: dict[str, Any], max_bytes: int) -> Reply:
    """Read the arrays that an answer's header tells of.

    Parameters
    ----------
    read_into
        Where they come from.
    header
        See `receive`.
    max_bytes
        What all arrays may take together.

    Raises
    ------
    WireError
        The header is wrong, the arrays are too large or too many, or they are cut off.
    """
    kinds = header.get("arrays")
    if not isinstance(kinds, list) or len(kinds) > MAX_ARRAYS:
        raise WireError("no list of arrays, or a long one")
    arrays = []
    for dtype, shape in map(_checked, kinds):
        size = prod(shape) * dtype.itemsize
        max_bytes -= size
        if max_bytes < 0:
            raise WireError("arrays that are too large")
        array = np.empty(shape, dtype)
        if size:
            _read_all(read_into, _memory(array))
        arrays.append(array)
    return Reply(header.get("value"), arrays)


def _checked(kind: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    dtype, shape = (kind.get("dtype"), kind.get("shape")) if isinstance(kind, dict) else (0, 0)
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise WireError(f"an array of {dtype}")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise WireError("an array without a shape")
    if not all(type(side) is int and 0 <= side < 2**40 for side in shape):
        raise WireError(f"an array of shape {shape}")
    return np.dtype(dtype), tuple(shape)


def _bytes_of(arrays: Sequence[NDArray[Any] | Rows]) -> Iterator[memoryview]:
    for array in arrays:
        sent = 0
        for part in array.parts if isinstance(array, Rows) else (array,):
            data = np.ascontiguousarray(part, array.dtype)
            sent += data.nbytes
            yield _memory(data)
        if sent != prod(array.shape) * array.dtype.itemsize:
            raise WireError("rows that do not make up their array")


def _memory(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _write_all(write: Write, data: Buffer) -> None:
    rest = memoryview(data)
    while len(rest):
        rest = rest[write(rest) :]


def _read_all(read_into: ReadInto, target: memoryview) -> None:
    while len(target):
        count = read_into(target)
        if not count:
            raise WireError("the end")
        target = target[count:]
