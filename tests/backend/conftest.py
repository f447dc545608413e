"""What several of the backend's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from backend.exchange.contract import TOKEN_VARIABLE
from tests.backend_client import PROCESS_TOKEN, BackendProcess


@pytest.fixture(scope="module")
def real_backend() -> Iterator[BackendProcess]:
    """A backend process with the real models, if they have been fetched."""
    require_real_models()
    backend = BackendProcess(["--device", "cpu"], {TOKEN_VARIABLE: PROCESS_TOKEN})
    yield backend
    backend.kill()


def require_real_models() -> None:
    """Skip, or fail in CI, where the models have not been fetched."""
    from backend.errors import MissingAssetError
    from backend.morphable_model.sources import detector_path
    from backend.morphable_model.storage import load_model
    from backend.synergynet.weights import active_weights, require_weights

    try:
        load_model()
        detector_path()
        require_weights(active_weights())
    except MissingAssetError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
