"""``server.json``, by which a backend that was started by hand is found. No ``bpy`` here."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .alive import is_alive
from .answers import json_object, take
from .error import BackendError

MAX_BYTES = 2**16
# There, processes have other numbers inside than outside.
SANDBOX_MARK = Path("/.flatpak-info")


@dataclass(frozen=True)
class ServerFile:
    """Where a backend listens, and its secret."""

    port: int
    token: str


def read_server_file(path: Path) -> ServerFile:
    """Return what a backend that was started by hand has written to `path`.

    A file whose backend has ended without removing it, as one that was killed does, is removed: by
    now its port may be anybody's.

    Raises
    ------
    BackendError
        ``bad-server-file``: there is none, or one that others than this person may have written.
    """
    content = _read_own(path)
    try:
        fields = json_object(content)
        found = ServerFile(take(fields, "port", int), take(fields, "token", str))
    except BackendError as error:
        raise _none_found() from error
    pid = fields.get("pid")
    if isinstance(pid, int) and not SANDBOX_MARK.exists() and not is_alive(pid):
        _remove(path, content)
        raise _none_found()
    return found


def _read_own(path: Path) -> bytes:
    """Return the content of a file that only this person can have written."""
    try:
        # O_NONBLOCK: a FIFO in its place must not be waited for.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise _none_found() from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _none_found()
        if os.name == "posix" and (
            status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        ):
            raise BackendError(
                f"Someone else may have written {path}, so it is not trusted.",
                "Remove it, make its folder writable only for you, and start the backend again.",
                "bad-server-file",
            )
        return os.read(handle, MAX_BYTES)
    finally:
        os.close(handle)


def _remove(path: Path, content: bytes) -> None:
    # A backend may have been started meanwhile.
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            path.unlink()


def _none_found() -> BackendError:
    return BackendError(
        "No running backend was found.",
        "Start one with `synergyface serve`, or set Backend to Automatic in the add-on's "
        "preferences.",
        "bad-server-file",
    )
