"""The backend's half of `exchange.handshake`: its proofs, and the clients' that it lets in."""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.types import Scope

from backend.exchange.handshake import NONCE, SESSION_PATH, proof

_AUTHORIZATION = re.compile(rf"Bearer ({NONCE})\.({NONCE})\.({NONCE})")


class Sessions:
    """Opens sessions and knows them again by a mark in its nonces that only this process can make.

    It remembers none of them, so that strangers who open many cost no memory.

    Parameters
    ----------
    token
        The secret that both sides know.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._mark = secrets.token_bytes(32)

    def open(self, nonce: str, port: int) -> dict[str, str | int]:
        """Return what is answered to a client's nonce that came in at a port: a nonce and a
        proof.
        """
        ours = self._nonce(secrets.token_hex(16), nonce)
        return {
            "nonce": ours,
            "port": port,
            "proof": proof(self._token, "backend", port, nonce, ours),
        }

    def admits(self, authorization: str, port: int) -> bool:
        """Tell whether a header is a client's proof in a session that was opened here at a port."""
        found = _AUTHORIZATION.fullmatch(authorization)
        if found is None:
            return False
        theirs, ours, proven = found.groups()
        expected = proof(self._token, "client", port, theirs, ours)
        own = hmac.compare_digest(ours, self._nonce(ours[:32], theirs))
        return hmac.compare_digest(proven, expected) and own

    def _nonce(self, chance: str, theirs: str) -> str:
        """Return 64 hexadecimal digits, the first 32 by chance."""
        mark = hmac.new(self._mark, f"{chance} {theirs}".encode(), sha256)
        return chance + mark.hexdigest()[:32]


def session_routes(sessions: Sessions) -> APIRouter:
    """Return the one path that is open to all: what it tells is worth nothing without the token."""
    router = APIRouter()

    @router.get(SESSION_PATH)
    async def session(
        request: Request, nonce: Annotated[str, Query(pattern=f"^{NONCE}$")]
    ) -> dict[str, Any]:
        return sessions.open(nonce, local_port(request.scope))

    return router


def local_port(scope: Scope) -> int:
    """Tell where the request came in."""
    return scope["server"][1]
