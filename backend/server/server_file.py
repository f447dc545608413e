"""``server.json``: where a backend that was started by hand leaves its port and token.

It lies in the data folder, readable by its owner only, for as long as the backend runs.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backend.data_folder import data_folder
from backend.errors import BadInputError
from backend.exchange.contract import PROTOCOL

# What nobody but the owner may do.
OTHERS = 0o077


def server_file_path() -> Path:
    """Return ``server.json`` in the data folder."""
    return data_folder() / "server.json"


@contextmanager
def server_file(path: Path, port: int, token: str) -> Iterator[None]:
    """Keep `path` in place for the length of the block.

    Raises
    ------
    BadInputError
        It cannot be written, or not so that others cannot read it.
    """
    content = json.dumps({"port": port, "token": token, "pid": os.getpid(), "protocol": PROTOCOL})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_private(path, content)
    except OSError as error:
        raise BadInputError(
            f"Cannot write {path}: {error.strerror or error}.",
            "Set SYNERGYFACE_DATA to a folder that you, and only you, may write to.",
            code="unwritable",
        ) from error
    try:
        yield
    finally:
        # A backend that was started later has put its own file here.
        with suppress(OSError):
            if path.read_text("utf-8") == content:
                path.unlink()


def _write_private(path: Path, content: str) -> None:
    """Write a file that never, not for a moment, others can read."""
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if os.name == "posix" and os.fstat(handle).st_mode & OTHERS:
                raise PermissionError(errno.EPERM, "its file system lets everybody read all files")
            file.write(content)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
