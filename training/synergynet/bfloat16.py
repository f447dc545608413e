"""Numbers in bfloat16 for compiled loops: the upper half of the bits of single precision.

`get` and `put` read and write one element of a matrix of float32, or of uint16 that holds the bits
of bfloat16. They are compiled into the loops that call them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

# Rounding to the nearest, ties to the even: what is added to the 32 bits before the lower 16 go.
HALF = 0x7FFF


def get(matrix: Any, row: int, column: int) -> np.float32:
    """Return an element in single precision."""
    raise NotImplementedError


def put(matrix: Any, row: int, column: int, value: np.float32) -> None:
    """Set an element."""
    raise NotImplementedError


@intrinsic
def _widened(typing_context, bits):
    def generate(context, builder, signature, arguments):
        word = builder.zext(arguments[0], ir.IntType(32))
        return builder.bitcast(builder.shl(word, ir.IntType(32)(16)), ir.FloatType())

    return types.float32(types.uint16), generate


@intrinsic
def _narrowed(typing_context, value):
    def generate(context, builder, signature, arguments):
        word = builder.bitcast(arguments[0], ir.IntType(32))
        odd = builder.and_(builder.lshr(word, ir.IntType(32)(16)), ir.IntType(32)(1))
        rounded = builder.add(builder.add(word, ir.IntType(32)(HALF)), odd)
        return builder.trunc(builder.lshr(rounded, ir.IntType(32)(16)), ir.IntType(16))

    return types.uint16(types.float32), generate


@overload(get, inline="always")
def _get(matrix, row, column):
    if matrix.dtype == types.uint16:
        return lambda matrix, row, column: _widened(matrix[row, column])  # pyright: ignore[reportCallIssue]
    return lambda matrix, row, column: matrix[row, column]


@overload(put, inline="always")
def _put(matrix, row, column, value):
    def bits(matrix, row, column, value):
        matrix[row, column] = _narrowed(np.float32(value))  # pyright: ignore[reportCallIssue]

    def number(matrix, row, column, value):
        matrix[row, column] = value

    return bits if matrix.dtype == types.uint16 else number
