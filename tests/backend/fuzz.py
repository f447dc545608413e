"""Damaged input: the same examples in every run, or new ones for as long as is asked.

``SYNERGYFACE_FUZZ_SECONDS`` is the time that all fuzz tests share (half an hour in
`make test-long`). Without it each takes its share of `EXAMPLES`, drawn from a fixed seed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ_SECONDS = float(os.environ.get("SYNERGYFACE_FUZZ_SECONDS", "0"))
EXAMPLES = 3000
EXAMPLES_AT_ONCE = 100
MAX_GROWTH = 2**31
# Lengths and counts that break what was not checked.
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1)

T = TypeVar("T")


def fuzz(strategy: st.SearchStrategy[T], check: Callable[[T], object], share: float) -> int:
    """Check a share of the examples, or of the time for fuzzing; returns how many there were.

    Parameters
    ----------
    strategy
        Makes the examples.
    check
        Fails by raising. Hypothesis then looks for the smallest example that fails and prints it.
    share
        Of all examples or of the whole time, in (0, 1].
    """
    count = 0

    @settings(
        max_examples=EXAMPLES_AT_ONCE if FUZZ_SECONDS else max(10, round(share * EXAMPLES)),
        derandomize=not FUZZ_SECONDS,
        deadline=None,
        database=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(strategy)
    def examples(example: T) -> None:
        nonlocal count
        count += 1
        check(example)

    before = _peak_memory()
    end = time.monotonic() + share * FUZZ_SECONDS
    examples()
    while time.monotonic() < end:
        examples()
    assert _peak_memory() - before < MAX_GROWTH, "an example needed too much memory"
    return count


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """One of the originals with up to six changes such as damage and ill will make."""
    data = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 6))):
        data = draw(_changed(data))
    return data


@st.composite
def _changed(draw: st.DrawFn, data: bytes) -> bytes:
    # Headers are short and come first: half of the changes go there.
    at = draw(st.integers(0, min(len(data), 512)) | st.integers(0, len(data)))
    match draw(st.sampled_from(("bytes", "edge", "flip", "cut", "drop", "insert", "repeat"))):
        case "bytes":
            new = draw(st.binary(min_size=1, max_size=16))
            return data[:at] + new + data[at + len(new) :]
        case "edge":
            width = draw(st.sampled_from((1, 2, 4, 8)))
            order = draw(st.sampled_from(("little", "big")))
            number = draw(st.sampled_from(EDGES)) & (2 ** (8 * width) - 1)
            return data[:at] + number.to_bytes(width, order) + data[at + width :]
        case "flip":
            bit = 1 << draw(st.integers(0, 7))
            return data[:at] + bytes(byte ^ bit for byte in data[at : at + 1]) + data[at + 1 :]
        case "cut":
            return data[:at]
        case "drop":
            return data[:at] + data[at + draw(st.integers(1, 64)) :]
        case "insert":
            return data[:at] + draw(st.binary(max_size=64)) + data[at:]
        case _:
            length = draw(st.integers(1, 256))
            return data[: at + length] + data[at:]


def _peak_memory() -> int:
    """The most bytes that this process has had resident; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
