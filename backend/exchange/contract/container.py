"""The body of a message: a JSON envelope and arrays, little-endian throughout.

One body is one container::

    4 bytes   magic b"SFC1"
    uint32    length of the header in bytes
    header    UTF-8 JSON: {"envelope": {...}, "arrays": [{"name", "dtype", "shape"}, ...]},
              padded with spaces so that the payload begins at a multiple of 8 bytes
    payload   the arrays' bytes in the order of the header, without gaps
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"SFC1"
DTYPES = ("<f4", "<f8", "<i4", "<i8", "|u1")
MAX_HEADER_BYTES = 4 * 2**20
MAX_PAYLOAD_BYTES = 2**30
MAX_ARRAYS = 4096
MAX_DIMENSIONS = 4

_PREFIX = struct.Struct("<4sI")
_ALIGNMENT = 8


class ContractError(ValueError):
    """A body does not follow the contract; the message says where."""


def encode(envelope: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bytes:
    """Pack a JSON envelope and named arrays into one body.

    Raises
    ------
    ContractError
        An array has another dtype than `DTYPES`, the envelope is not JSON, or there is more of
        either than `decode` takes.
    """
    if len(arrays) > MAX_ARRAYS:
        raise ContractError(f"More than {MAX_ARRAYS} arrays.")
    packed = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    entries = []
    for name, array in packed.items():
        dtype = array.dtype.newbyteorder("<").str
        if dtype not in DTYPES:
            raise ContractError(f"Array {name!r} has dtype {array.dtype}, not one of {DTYPES}.")
        entries.append({"name": name, "dtype": dtype, "shape": list(array.shape)})
    try:
        header = json.dumps({"envelope": envelope, "arrays": entries}, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ContractError(f"The envelope is not JSON: {error}.") from error
    payload_bytes = sum(array.nbytes for array in packed.values())
    if len(header) + _ALIGNMENT > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise ContractError(f"{payload_bytes:,} bytes in {len(packed)} arrays are too many.")
    header += b" " * (-(_PREFIX.size + len(header)) % _ALIGNMENT)
    payload = [array.astype(array.dtype.newbyteorder("<"), copy=False) for array in packed.values()]
    return b"".join(
        (_PREFIX.pack(MAGIC, len(header)), header, *(array.tobytes() for array in payload))
    )


def decode(body: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Unpack a body. The arrays are read-only views of it.

    Raises
    ------
    ContractError
        Whatever is not exactly as the module's docstring says; nothing is allocated before the
        lengths are checked.
    """
    if len(body) < _PREFIX.size:
        raise ContractError("The body is shorter than its fixed prefix.")
    magic, header_length = _PREFIX.unpack_from(body)
    if magic != MAGIC:
        raise ContractError("The body does not begin with the magic bytes SFC1.")
    if header_length > min(MAX_HEADER_BYTES, len(body) - _PREFIX.size):
        raise ContractError("The header is longer than the body or the limit.")
    start = _PREFIX.size + header_length
    try:
        header = json.loads(body[_PREFIX.size : start].decode("utf-8"), parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise ContractError("The header is not UTF-8 JSON.") from error
    envelope, entries = _header_parts(header)
    arrays: dict[str, NDArray[Any]] = {}
    offset = start
    for entry in entries:
        name, dtype, shape = _entry_parts(entry)
        if name in arrays:
            raise ContractError(f"Array {name!r} appears twice.")
        count = math.prod(shape)
        nbytes = count * np.dtype(dtype).itemsize
        # The second test is for shapes such as (0, 2**30, 2**30), which numpy cannot express.
        if nbytes > len(body) - offset or math.prod(filter(None, shape)) > MAX_PAYLOAD_BYTES:
            raise ContractError(f"Array {name!r} is longer than the body.")
        arrays[name] = np.frombuffer(body, dtype, count, offset).reshape(shape)
        offset += nbytes
    if offset != len(body):
        raise ContractError("Bytes are left over after the last array.")
    return envelope, arrays


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _header_parts(header: Any) -> tuple[dict[str, Any], list[Any]]:
    if not isinstance(header, dict) or set(header) != {"envelope", "arrays"}:
        raise ContractError("The header needs exactly 'envelope' and 'arrays'.")
    envelope, entries = header["envelope"], header["arrays"]
    if not isinstance(envelope, dict) or not isinstance(entries, list):
        raise ContractError("The header's 'envelope' or 'arrays' has the wrong type.")
    if len(entries) > MAX_ARRAYS:
        raise ContractError(f"More than {MAX_ARRAYS} arrays.")
    return envelope, entries


def _entry_parts(entry: Any) -> tuple[str, str, tuple[int, ...]]:
    if not isinstance(entry, dict) or set(entry) != {"name", "dtype", "shape"}:
        raise ContractError("An array entry needs exactly 'name', 'dtype' and 'shape'.")
    name, dtype, shape = entry["name"], entry["dtype"], entry["shape"]
    if not isinstance(name, str) or dtype not in DTYPES:
        raise ContractError(f"An array entry has a bad name or a dtype other than {DTYPES}.")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise ContractError(f"Array {name!r} has a bad shape.")
    if any(type(n) is not int or not 0 <= n <= MAX_PAYLOAD_BYTES for n in shape):
        raise ContractError(f"Array {name!r} has a bad shape.")
    return name, dtype, tuple(shape)
