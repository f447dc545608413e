"""The add-on finds the backend where the backend says that it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from addon.connection import search as backend_search
from addon.connection.client import BackendError
from backend.data_folder import ENVIRONMENT_VARIABLE
from backend.installation import record_installation


def test_the_recorded_installation_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "data"))
    environment = {ENVIRONMENT_VARIABLE: str(tmp_path / "data"), "PATH": ""}
    with pytest.raises(BackendError):
        backend_search.find_command("", environment, tmp_path)
    record = record_installation()
    command = backend_search.find_command("", environment, tmp_path)
    assert command[:3] == (sys.executable, "-m", "backend.cli")
    record.write_text('{"python": "gone/python"}')
    with pytest.raises(BackendError):
        backend_search.find_command("", environment, tmp_path)
