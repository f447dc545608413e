"""Tests that take minutes: they run in `make test-long` only."""

from __future__ import annotations

import os

import pytest

only_when_there_is_time = pytest.mark.skipif(
    not os.environ.get("SYNERGYFACE_LONG"), reason="takes long: make test-long runs it"
)
