"""`synergyface data annotate`, `fit` and `correspondence`: from photos to fitted photos."""

from __future__ import annotations

import argparse


def add_steps(steps: argparse._SubParsersAction) -> None:
    """Add the steps to those of `synergyface data`."""
