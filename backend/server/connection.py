"""A client's connection: one that stops halfway does not hold its place for ever.

Uvicorn waits as long as it takes for the rest of a request, and for an answer to be read. Half a
request would then keep a file descriptor, a place in the queue and its memory until the backend
ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from backend.server.problems import MEDIA_TYPE, Problem

log = logging.getLogger(__name__)


class TimedConnection(H11Protocol):
    """HTTP connection that is dropped when its client stalls.

    A client stalls when it owes the rest of a request, or does not read its answer, and no byte
    has moved for ``app.state.stall_seconds``. Waiting for an answer is no stalling; idle
    connections between requests are uvicorn's business.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stall_seconds: float = self.config.app.state.stall_seconds  # pyright: ignore
        self._stalled: asyncio.TimerHandle | None = None
        self._unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The client owes a request from now on."""
        super().connection_made(transport)
        self._start_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._stop_waiting()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on waiting only if the request is not whole yet.

        Who does not read an answer is waited for as before, whatever else comes from there.
        """
        super().data_received(data)
        if self.flow.write_paused:
            return
        self._stop_waiting()
        if not self.transport.is_closing() and self._owes_request:
            self._start_waiting()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._start_waiting()

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._stop_waiting()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told so by a problem document too."""
        problem = Problem(
            HTTPStatus.BAD_REQUEST, "bad-request", msg, "Send valid HTTP/1.1 requests."
        )
        response = h11.Response(
            status_code=problem.status,
            headers=[("Content-Type", MEDIA_TYPE), ("Connection", "close")],
            reason=HTTPStatus.BAD_REQUEST.phrase.encode(),
        )
        body = h11.Data(data=json.dumps(problem.document()).encode())
        for event in (response, body, h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    @property
    def _owes_request(self) -> bool:
        """Whether a request has begun to come and has not come whole."""
        begun = self.conn.their_state is h11.SEND_BODY
        return begun or (self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0]))

    def _start_waiting(self) -> None:
        self._stop_waiting()
        self._unsent = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(self._stall_seconds, self._drop)

    def _stop_waiting(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _drop(self) -> None:
        reads = self.transport.get_write_buffer_size() < self._unsent
        held_up_by_us = self.flow.read_paused and not self.flow.write_paused
        if reads or held_up_by_us:
            self._start_waiting()
            return
        log.info("Dropped a client that stalled for %g s", self._stall_seconds)
        self.transport.abort()
