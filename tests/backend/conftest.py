"""What tests of the backend share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def detector_file() -> Path:
    """The face detector's model, fetched if this computer has none yet."""
    from backend.errors import MissingAssetError
    from backend.morphable_model.sources import detector_path, fetch_detector

    try:
        return detector_path()
    except MissingAssetError:
        return fetch_detector()
