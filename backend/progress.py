"""How far some work is: a function that is called as it goes on."""

from __future__ import annotations

from collections.abc import Callable

# Called with the share that is done, from 0 to 1, and what is being done, for a person to read.
# May raise `CancelledError` to stop the work.
Progress = Callable[[float, str], None]


def no_progress(fraction: float, stage: str) -> None:
    """Take progress that nobody watches."""


def part(progress: Progress, begin: float, end: float) -> Progress:
    """Make the progress of a part of the work.

    Parameters
    ----------
    progress
        Of the whole work.
    begin, end
        Where in the whole, from 0 to 1, the part begins and ends.
    """
    return lambda fraction, stage: progress(begin + fraction * (end - begin), stage)


def parts(progress: Progress, begin: float, end: float, count: int) -> list[Progress]:
    """Make the progress of each of several equal parts of the work between `begin` and `end`."""
    step = (end - begin) / max(count, 1)
    return [part(progress, begin + step * n, begin + step * (n + 1)) for n in range(count)]
