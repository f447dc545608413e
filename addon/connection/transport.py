"""Requests to one backend: standard library only, no proxies, no redirects.

Every connection begins with the backend's proof that it knows the token (`handshake`).
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..exchange.handshake import ProvenConnection, UnprovenError
from .address import loopback_host
from .answers import json_object, problem_error
from .error import BackendError, bad_response

MAX_JSON_BYTES = 2**20
READ_BYTES = 2**20
SUCCESS = (200, 201, 202, 304)
START_REMEDY = "Start the backend in the add-on's preferences, and try again."

Body = bytes | Iterable[bytes]


@dataclass(frozen=True)
class Answer:
    """An answer of success; `etag` is empty where there is none."""

    status: int
    etag: str
    body: bytes


class Transport:
    """Has no open connection between calls; any thread may call it.

    Parameters
    ----------
    port
        Port of the backend.
    token
        Its secret.
    host
        A loopback address or ``localhost``.
    timeout
        Seconds to wait for the connection and for each piece of a body, sent or received.

    Raises
    ------
    BackendError
        The host is not a loopback address, or the token cannot be one.
    """

    def __init__(self, port: int, token: str, host: str, timeout: float) -> None:
        self.host = loopback_host(host)
        self.port = port
        self._timeout = timeout
        self._token = token.strip()
        if not re.fullmatch(r"[!-~]+", self._token):
            raise BackendError(
                "The token is empty or not valid.",
                "Copy it again from the backend's server.json.",
                "bad-token",
            )

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        limit: int = MAX_JSON_BYTES,
        wait: float = 0,
    ) -> Answer:
        """Send one request on a connection of its own; returns only answers of success.

        Parameters
        ----------
        method, path, headers
            As HTTP has them; the path with its query.
        body
            Bytes, or pieces of a body whose length `headers` tell.
        limit
            Longest answer.
        wait
            Seconds that the answer may take beyond the usual.

        Raises
        ------
        BackendError
            Anything but success.
        """
        timeout = self._timeout + wait
        connection = ProvenConnection(self.port, self._token, self.host, timeout)
        try:
            _send(connection, method, path, body, dict(headers or {}))
            response = connection.getresponse()
            success = response.status in SUCCESS
            content = _read(response, limit if success else MAX_JSON_BYTES)
        except ConnectionRefusedError as error:
            raise BackendError(
                f"No backend answers on port {self.port}.", START_REMEDY, "unreachable"
            ) from error
        except TimeoutError as error:
            raise BackendError(
                "The backend did not answer in time.",
                "Try again. If that fails, stop and start it in the add-on's preferences.",
                "timeout",
            ) from error
        except (OSError, http.client.IncompleteRead) as error:
            raise BackendError(
                "The connection to the backend was lost.",
                "Start the backend again. Its log may say why it stopped.",
                "connection-lost",
            ) from error
        except UnprovenError as error:
            raise BackendError(error.message, error.remedy, error.code) from error
        except http.client.HTTPException as error:
            raise bad_response("it is not the HTTP of a backend") from error
        finally:
            connection.close()
        if not success:
            raise _refusal(response.status, content)
        return Answer(response.status, response.headers.get("ETag", ""), content)


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Body | None,
    headers: dict[str, str],
) -> None:
    connection.connect()
    if isinstance(body, bytes):
        # In pieces, because Python would have the whole of it sent within one time-out.
        headers = headers | {"Content-Length": str(len(body))}
        body = _pieces(body)
    try:
        connection.request(method, path, body=body, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        # A backend that refuses early stops reading; its reason may still be there to read.
        return


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), READ_BYTES):
        yield body[start : start + READ_BYTES]


class _Readable(Protocol):
    """What `_read` needs of ``http.client.HTTPResponse``."""

    length: int | None

    def read(self, amt: int | None = None, /) -> bytes: ...


def _read(response: _Readable, limit: int) -> bytes:
    """Return the whole body of at most `limit` bytes; memory grows with what arrives, not what is
    claimed.
    """
    pieces, total, announced = [], 0, response.length
    while total <= limit and (announced is None or announced <= limit):
        piece = response.read(READ_BYTES)
        if not piece:
            break
        pieces.append(piece)
        total += len(piece)
    else:
        raise bad_response("it is too large")
    if announced is not None and total < announced:
        raise http.client.IncompleteRead(b"", announced - total)
    return b"".join(pieces)


def _refusal(status: int, body: bytes) -> BackendError:
    if 300 <= status < 400:
        return bad_response("it is a redirect")
    try:
        return problem_error(json_object(body))
    except BackendError:
        return bad_response(f"it has status {status} but no explanation")
