"""How much the backend takes, holds and keeps."""

from __future__ import annotations

from dataclasses import dataclass

from backend.contract import MAX_PHOTO_BYTES


@dataclass(frozen=True)
class Limits:
    """Bounds of one backend process.

    Attributes
    ----------
    photo_bytes
        Longest body of ``POST /v1/faces``.
    waiting_jobs
        Jobs that may wait for their turn.
    kept_jobs, kept_bytes, kept_seconds
        Finished jobs, oldest forgotten first: how many, with how long results, for how long.
    wait_seconds
        Longest long-poll.
    """

    photo_bytes: int = MAX_PHOTO_BYTES
    waiting_jobs: int = 8
    kept_jobs: int = 32
    kept_bytes: int = 2**29
    kept_seconds: float = 600.0
    wait_seconds: float = 30.0
