"""Bodies too large for memory: they go to a file of their own, which is removed after its job."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from fastapi import Request

from backend.data_folder import TEMPORARY, data_folder, remove_older
from backend.server.problems import Problem, ProblemError
from backend.server.security import body_pieces

FOLDER = "uploads"
# Uploads older than that were left behind by a backend that was killed.
STALE_SECONDS = 24 * 3600.0
WRITE_BYTES = 2**20


async def receive(request: Request, limit: int) -> Path:
    """Write the body of a request to a new file, whose owner the caller becomes.

    The file is named by its content and always equally old, so that work on it that was cut off is
    recognised when the same clip is sent again.

    Raises
    ------
    ProblemError
        The body is longer than `limit` (413), empty (422) or broke off (400); there is no room for
        it (507).
    """
    with _explained():
        home = data_folder() / FOLDER
        home.mkdir(parents=True, exist_ok=True)
        remove_older(home, STALE_SECONDS)
        folder = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}clip-", dir=home))
    digest = hashlib.sha256()
    arriving = folder / "arriving"
    try:
        with _explained():
            with arriving.open("wb") as file:
                async for block in _blocks(body_pieces(request, limit)):
                    # Not on the event loop: a busy disk may hold it up.
                    await asyncio.to_thread(file.write, block)
                    digest.update(block)
            clip = arriving.rename(folder / digest.hexdigest()[:32])
            os.utime(clip, (0, 0))
    except BaseException:
        discard(arriving)
        raise
    return clip


def discard(clip: Path) -> None:
    """Remove an upload; none there is fine."""
    shutil.rmtree(clip.parent, ignore_errors=True)


async def _blocks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    block = bytearray()
    async for piece in pieces:
        block += piece
        if len(block) >= WRITE_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ProblemError(
            Problem(
                HTTPStatus.INSUFFICIENT_STORAGE,
                "disk-full" if full else "unwritable",
                f"Cannot store the clip in {data_folder()}: {error.strerror or error}.",
                "Free some space there, or let the backend read the clip by its path "
                "(--allow-paths).",
            ),
            {"Connection": "close"},
        ) from error
