"""How much the backend takes, holds and keeps."""

from __future__ import annotations

from dataclasses import dataclass

from backend.exchange.contract import MAX_PHOTO_BYTES


@dataclass(frozen=True)
class Limits:
    """Bounds of one backend process.

    Attributes
    ----------
    photo_bytes, video_bytes, frame_bytes
        Longest body of ``POST /v1/faces``, of ``/v1/videos`` and of a stream's frame.
    waiting_jobs, waiting_bytes
        Jobs that may wait for their turn or be on their way here, and what their requests may hold
        in memory together; a single one is always let in.
    kept_jobs, kept_bytes, kept_seconds
        Finished jobs, oldest forgotten first: how many, with how long results, for how long.
    wait_seconds
        Longest long-poll.
    stall_seconds
        How long a client may leave a request or the reading of an answer unfinished.
    streams, stream_seconds
        Streams that may be open at once, and how long one may be idle.
    """

    photo_bytes: int = MAX_PHOTO_BYTES
    video_bytes: int = 2**33
    frame_bytes: int = 2**26
    waiting_jobs: int = 64
    waiting_bytes: int = 2**29
    kept_jobs: int = 32
    kept_bytes: int = 2**29
    kept_seconds: float = 600.0
    wait_seconds: float = 30.0
    stall_seconds: float = 30.0
    streams: int = 4
    stream_seconds: float = 30.0
