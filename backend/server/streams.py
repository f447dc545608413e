"""Streams: sessions that take single frames and answer at once, beside the queue of jobs."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from backend.errors import BadInputError
from backend.exchange import contract
from backend.server.description import ContainerResponse, request_body
from backend.server.frame_image import frame_image
from backend.server.limits import Limits
from backend.server.models import Models
from backend.server.problems import Problem, ProblemError
from backend.server.reconstructor import LiveTracker
from backend.server.security import read_body

# One frame is worked on and one waits; a third one is late already.
FRAMES_AT_ONCE = 2


class Stream:
    """One session: its tracker, and its frames in the order of their arrival.

    Parameters
    ----------
    tracker
        Its own.
    clock
        Seconds.
    """

    def __init__(self, tracker: LiveTracker, clock: Callable[[], float]) -> None:
        self._tracker = tracker
        self._clock = clock
        self._opened_at = self.used_at = clock()
        self._last_time = float("-inf")
        self._turn = asyncio.Lock()
        self.frames_here = 0

    async def post(
        self,
        body: bytes,
        size: tuple[int, int] | None,
        time: float | None,
        threads: ThreadPoolExecutor,
    ) -> contract.FrameResult:
        """Faces of a frame that holds a place; `time` None is now.

        Raises
        ------
        BadInputError
            It is no picture, or not later than the frame before.
        """
        arrived = self._clock() - self._opened_at
        async with self._turn:
            work = partial(self._step, body, size, arrived if time is None else time)
            return await asyncio.get_running_loop().run_in_executor(threads, work)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while a frame arrives and is worked on, so that no body is read in vain.

        Raises
        ------
        ProblemError
            Earlier frames are still worked on (429).
        """
        if self.frames_here >= FRAMES_AT_ONCE:
            raise ProblemError(
                Problem(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "stream-busy",
                    "Earlier frames of this stream are still being processed.",
                    "Skip this frame, and wait for an answer before you send another.",
                )
            )
        self.frames_here += 1
        try:
            yield
        finally:
            self.frames_here -= 1
            self.used_at = self._clock()

    def _step(self, body: bytes, size: tuple[int, int] | None, time: float) -> contract.FrameResult:
        if time <= self._last_time:
            raise BadInputError(
                f"The frame's time is {time:g} s, and the last one's was {self._last_time:g} s.",
                "Send frames in order, with increasing times.",
                code="bad-time",
            )
        image = frame_image(body, size)
        self._last_time = time
        return self._tracker.frame(image, time)


class Streams:
    """The sessions that are open. Used on the event loop; frames are worked on in threads.

    Parameters
    ----------
    limits
        How many sessions, and how long one may be idle.
    clock
        Seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.perf_counter) -> None:
        self._limits = limits
        self._clock = clock
        self._streams: dict[str, Stream] = {}
        self.threads = ThreadPoolExecutor(limits.streams, thread_name_prefix="stream")

    def open(self, tracker: Callable[[], LiveTracker]) -> str:
        """Begin a session; returns its id.

        Raises
        ------
        ProblemError
            There are too many (429).
        """
        self._forget_idle()
        if len(self._streams) >= self._limits.streams:
            raise ProblemError(
                Problem(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "too-many-streams",
                    f"{len(self._streams)} streams are open already.",
                    "Close one. Unused streams are closed after "
                    f"{self._limits.stream_seconds:g} seconds.",
                )
            )
        stream_id = secrets.token_urlsafe(16)
        self._streams[stream_id] = Stream(tracker(), self._clock)
        return stream_id

    def find(self, stream_id: str) -> Stream:
        """An open session.

        Raises
        ------
        ProblemError
            There is none, or no longer (404).
        """
        self._forget_idle()
        stream = self._streams.get(stream_id)
        if stream is None:
            raise ProblemError(
                Problem(
                    HTTPStatus.NOT_FOUND,
                    "no-such-stream",
                    "There is no such stream, or it was closed because nobody used it.",
                    "Open a new one.",
                )
            )
        return stream

    def close(self, stream_id: str) -> None:
        """End a session; see `find` for what it raises."""
        self.find(stream_id)
        del self._streams[stream_id]

    def stop(self) -> None:
        """End all of them; no frame is begun any more."""
        self._streams.clear()
        self.threads.shutdown(wait=False, cancel_futures=True)

    def _forget_idle(self) -> None:
        oldest = self._clock() - self._limits.stream_seconds
        idle = [
            name
            for name, stream in self._streams.items()
            if stream.used_at < oldest and not stream.frames_here
        ]
        for name in idle:
            del self._streams[name]


def stream_routes(models: Models, streams: Streams, limits: Limits) -> APIRouter:
    """Routes of streams."""
    router = APIRouter()

    @router.post("/v1/streams", status_code=HTTPStatus.CREATED)
    async def open_stream(
        smoothing: Annotated[float, Query(ge=0, le=1)] = 0.0,
    ) -> dict[str, str]:
        reconstructor = models.reconstructor()
        return {"stream": streams.open(partial(reconstructor.live_tracker, smoothing))}

    @router.post(
        "/v1/streams/{stream_id}/frames",
        response_class=ContainerResponse,
        openapi_extra=request_body("application/octet-stream"),
    )
    async def post_frame(
        request: Request,
        stream_id: str,
        time: Annotated[float | None, Query(allow_inf_nan=False)] = None,
        width: int | None = None,
        height: int | None = None,
    ) -> Response:
        stream = streams.find(stream_id)
        size = None if width is None or height is None else (width, height)
        with stream.place():
            body = await read_body(request, limits.frame_bytes)
            result = await stream.post(body, size, time, streams.threads)
        return ContainerResponse(contract.encode_frame(result))

    @router.delete("/v1/streams/{stream_id}", status_code=HTTPStatus.OK)
    async def close_stream(stream_id: str) -> dict[str, str]:
        streams.close(stream_id)
        return {"stream": stream_id}

    return router
