"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(HOME).with_suffix("").parts)
    for room in ("backend", "gan_texture", "training")
    for path in (HOME / room).rglob("*.py")
    if "    >>> " in path.read_text(encoding="utf-8")
)


def test_the_central_types_have_examples() -> None:
    assert {"backend.morphable_model.boxes", "backend.morphable_model.parameters"} <= {*MODULES}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried and not failed
