"""How much slower this computer is now than those that our targets of time are for.

Clouds share processors: the same machine was seen to take three times as long for an hour.
"""

from __future__ import annotations

import time

# Additions, and the seconds that they take on two cores of a server of 2023 that nobody shares.
ADDITIONS, USUAL_SECONDS = 2_000_000, 0.05


def slowness() -> float:
    """Processor time over the usual, of what a processor does in a loop; at least 1."""
    return max(1.0, min(_loop() for _ in range(3)) / USUAL_SECONDS)


def _loop() -> float:
    began, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return time.process_time() - began
