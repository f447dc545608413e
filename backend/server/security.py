"""Who may speak to the backend: programs of this computer that know the token.

Both sides prove that they know it, the backend first (`exchange.handshake`). A page in a browser
can reach 127.0.0.1 as well. It does not know the token; beyond that, a name that was rebound to
127.0.0.1 shows in ``Host``, and another site's script shows in ``Origin``.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import AsyncIterator
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.errors import BadInputError
from backend.exchange.contract import TOKEN_VARIABLE
from backend.exchange.handshake import SESSION_PATH
from backend.server.problems import Problem, ProblemError, problem_response
from backend.server.sessions import Sessions, local_port

MIN_TOKEN_LENGTH = 16


def token_from_environment() -> str | None:
    """Token that the parent process chose; taken out of the environment, so that no child sees it.

    Raises
    ------
    BadInputError
        It is too short to be a secret, or not printable ASCII.
    """
    token = os.environ.pop(TOKEN_VARIABLE, None)
    if token is None:
        return None
    if len(token) < MIN_TOKEN_LENGTH or not all("!" <= character <= "~" for character in token):
        raise BadInputError(
            f"{TOKEN_VARIABLE} needs at least {MIN_TOKEN_LENGTH} printable ASCII characters.",
            "Leave it unset to create a token.",
            code="bad-token",
        )
    return token


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def is_loopback(authority: str) -> bool:
    """Whether ``host`` or ``host:port`` names this computer and nothing else."""
    try:
        parts = urlsplit(f"//{authority}")
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.netloc != authority or "@" in authority:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware that answers a request of a stranger with a problem document."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        error = self._refusal(scope, Headers(scope=scope))
        if error is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(error.problem, error.headers)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> ProblemError | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not is_loopback(hosts[0]):
            return ProblemError(
                Problem(
                    HTTPStatus.MISDIRECTED_REQUEST,
                    "bad-host",
                    "The request's Host is not an address of this computer.",
                    "Use http://127.0.0.1 and the backend's port. For a backend on another "
                    "computer, use an SSH tunnel.",
                )
            )
        if not all(_is_loopback_origin(origin) for origin in headers.getlist("origin")):
            return ProblemError(
                Problem(
                    HTTPStatus.FORBIDDEN,
                    "bad-origin",
                    "The request comes from a web page of another site.",
                    "Pages in a browser may not use the backend.",
                )
            )
        if (scope["method"], scope["path"]) == ("GET", SESSION_PATH):
            return None
        given = headers.getlist("authorization")
        if len(given) != 1 or not self._sessions.admits(given[0], local_port(scope)):
            return ProblemError(
                Problem(
                    HTTPStatus.UNAUTHORIZED,
                    "unauthorized",
                    "The request does not prove that its sender knows the backend's token.",
                    "Let the add-on start the backend; update it if it is older than the backend. "
                    "A program of your own opens a session first (backend/exchange/handshake.py).",
                ),
                {"WWW-Authenticate": "Bearer"},
            )
        return None


def _is_loopback_origin(origin: str) -> bool:
    scheme, separator, authority = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and is_loopback(authority)


def body_length(request: Request, limit: int) -> int:
    """The most bytes that a request's body may turn out to have: what it announces, or the limit.

    Raises
    ------
    ProblemError
        It announces more than `limit` (413).
    """
    # h11 has checked that the header, where there is one, is one whole number.
    length = int(request.headers.get("content-length", limit))
    if length > limit:
        raise _too_large(limit)
    return length


async def read_body(request: Request, limit: int) -> bytes:
    """Body of a request, read no further than `limit` bytes, whatever length it claims.

    Raises
    ------
    ProblemError
        As `body_pieces`.
    """
    body = bytearray()
    async for piece in body_pieces(request, limit):
        body += piece
    return bytes(body)


async def body_pieces(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Body of a request as it comes, at most `limit` bytes in all.

    Raises
    ------
    ProblemError
        The body is longer (413), empty (422), or broke off (400).
    """
    body_length(request, limit)
    length = 0
    try:
        async for piece in request.stream():
            length += len(piece)
            if length > limit:
                raise _too_large(limit)
            if piece:
                yield piece
    except ClientDisconnect as error:
        raise ProblemError(
            Problem(
                HTTPStatus.BAD_REQUEST,
                "incomplete",
                "The connection ended before the whole body arrived.",
                "Send it again.",
            )
        ) from error
    if not length:
        raise ProblemError(
            Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "bad-input",
                "The request has no body.",
                "Send the bytes of a picture or video.",
            )
        )


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too-large",
            f"The request's body is larger than {limit:,} bytes.",
            "Send a smaller file, such as a JPEG or a part of the video.",
        ),
        {"Connection": "close"},
    )
