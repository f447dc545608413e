"""Reading the fields of a decoded body: each is what it should be, or the body is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .container import ContractError
from .protocol import PROTOCOL

Shape = tuple[int | None, ...]


def expect_kind(envelope: dict[str, Any], kind: str) -> None:
    """Refuse an envelope of another protocol or kind."""
    if envelope.get("protocol") != PROTOCOL:
        raise ContractError(
            f"The body speaks protocol {envelope.get('protocol')!r}; this side speaks {PROTOCOL}."
        )
    if envelope.get("kind") != kind:
        raise ContractError(f"Expected a body of kind {kind!r}, found {envelope.get('kind')!r}.")


@contextmanager
def reading_envelope() -> Iterator[None]:
    """Turn what a missing or strange field of an envelope raises into `ContractError`."""
    try:
        yield
    except ContractError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ContractError(f"The envelope lacks a field or has a bad one: {error}.") from error


def entries(envelope: dict[str, Any], name: str) -> list[Any]:
    """Return a list of an envelope."""
    if not isinstance(envelope.get(name), list):
        raise ContractError(f"The envelope's {name!r} is not a list.")
    return envelope[name]


def floats(values: Any, count: int) -> tuple[Any, ...]:
    """Return `count` finite numbers."""
    if not isinstance(values, list) or any(type(v) not in (int, float) for v in values):
        raise ContractError("Expected a list of numbers.")
    numbers = tuple(float(v) for v in values)
    if len(numbers) != count or not all(math.isfinite(v) for v in numbers):
        raise ContractError(f"Expected {count} finite numbers, found {len(numbers)}.")
    return numbers


def image_size(envelope: dict[str, Any]) -> tuple[int, int]:
    """Return the width and height in pixels."""
    width, height = envelope["image_size"]
    if type(width) is not int or type(height) is not int or min(width, height) < 1:
        raise ContractError(f"An image cannot measure {width!r} x {height!r} pixels.")
    return width, height


def array(arrays: dict[str, NDArray[Any]], name: str, dtype: str, shape: Shape) -> NDArray[Any]:
    """Return an array of that dtype and shape (None: any length), which may have NaN."""
    found = arrays.get(name)
    if found is None:
        raise ContractError(f"Array {name!r} is missing.")
    fits = len(found.shape) == len(shape) and all(
        want is None or have == want for have, want in zip(found.shape, shape, strict=True)
    )
    if found.dtype != np.dtype(dtype) or not fits:
        raise ContractError(f"Array {name!r} is {found.dtype}{found.shape}, not {dtype}{shape}.")
    return found


def finite_array(
    arrays: dict[str, NDArray[Any]], name: str, dtype: str, shape: Shape
) -> NDArray[Any]:
    """Read an array as `array` does, whose every value is finite."""
    found = array(arrays, name, dtype, shape)
    if not np.isfinite(found).all():
        raise ContractError(f"Array {name!r} has a value that is not finite.")
    return found
