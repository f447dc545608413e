"""How a backend proves that it knows the token, before anything is sent to it.

A port does not say who listens: when a backend has ended, any program of the computer may take its
port. So the token itself never crosses the wire, and every connection begins like this:

1. The client asks for ``GET /v1/session?nonce=<its nonce>``, which is no secret.
2. The backend answers ``{"nonce": <one of its own>, "port": <where it listens>, "proof": ...}``.
3. The client checks the proof, and that the port is the one that it asked at. With each request on
   this connection it sends ``Authorization: Bearer <its nonce>.<the backend's nonce>.<proof>``.

A nonce is 64 hexadecimal digits and new each time. The proofs are HMAC-SHA256 with the token as key
over who proves (``backend``, ``client``), the port and both nonces. So none of them is of use for
another purpose, at another time or in another place: whoever listens at one port and passes on what
he gets to a backend at another has a proof with the wrong port.
"""

from __future__ import annotations

import hmac
import http.client
import json
import re
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Literal

SESSION_PATH = "/v1/session"
NONCE = "[0-9a-f]{64}"
NONCE_BYTES = 32
MAX_ANSWER_BYTES = 4096


class UnprovenError(http.client.HTTPException):
    """What answers is not the backend that was meant; it has been told nothing.

    Attributes
    ----------
    message
        What is wrong.
    remedy
        What to do about it.
    code
        ``unproven``, ``wrong-port`` or ``protocol-mismatch`` (a backend that is too old to prove
        anything).
    """

    def __init__(self, message: str, remedy: str, code: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy
        self.code = code


def proof(
    token: str, prover: Literal["backend", "client"], port: int, client: str, backend: str
) -> str:
    """Return 64 hexadecimal digits that only who knows the token can make.

    Parameters
    ----------
    token
        The secret.
    prover
        Who proves by it.
    port
        Where the backend listens.
    client, backend
        The nonces of both.
    """
    said = f"synergyface session {prover} {port} {client} {backend}"
    return hmac.new(token.encode(), said.encode(), sha256).hexdigest()


class ProvenConnection(http.client.HTTPConnection):
    """A connection on which a backend has proved itself, each time that it is opened (again).

    One that is kept costs no more than any other: a proof is asked for once, not for each request.

    Parameters
    ----------
    port
        Port of the backend.
    token
        Its secret.
    host
        A loopback address.
    timeout
        Seconds to wait for the connection, and for each piece that is sent or received.

    Raises
    ------
    UnprovenError
        By all that opens the connection: what answers does not know the token.
    """

    def __init__(
        self, port: int, token: str, host: str = "127.0.0.1", timeout: float = 10.0
    ) -> None:
        super().__init__(host, port, timeout=timeout)
        self._token = token
        self._authorization = ""

    def connect(self) -> None:
        """Connect, and have the backend prove itself."""
        super().connect()
        try:
            self._authorization = self._open_session()
        except BaseException:
            self.close()
            raise

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, Any] | None = None,
        *,
        encode_chunked: bool = False,
    ) -> None:
        """Send a request with our proof, once the backend has given its own."""
        if self.sock is None:
            self.connect()
        headers = {**(headers or {}), "Authorization": self._authorization}
        super().request(method, url, body, headers, encode_chunked=encode_chunked)

    def _open_session(self) -> str:
        nonce = secrets.token_hex(NONCE_BYTES)
        theirs, port, proven = self._answer(self._asked(f"{SESSION_PATH}?nonce={nonce}"))
        if not hmac.compare_digest(proven, proof(self._token, "backend", port, nonce, theirs)):
            raise self._unproven()
        if port != self.port:
            raise UnprovenError(
                f"The backend that answers on port {self.port} listens on port {port}. A "
                "program between the two could read along.",
                f"Use port {port}. Give a tunnel the same port at both ends.",
                "wrong-port",
            )
        return f"Bearer {nonce}.{theirs}.{proof(self._token, 'client', port, nonce, theirs)}"

    def _asked(self, path: str) -> bytes:
        """Return the answer to a request without any secret, on this connection."""
        plain = http.client.HTTPConnection(self.host, self.port)
        plain.sock = self.sock
        plain.request("GET", path)
        response = plain.getresponse()
        # Backends asked for the token on every path, until they could prove that they know it.
        if response.status in (401, 404):
            raise UnprovenError(
                f"The backend on port {self.port} is too old: it cannot prove that it knows the "
                "token.",
                "Update the backend, and start it again.",
                "protocol-mismatch",
            )
        if response.status != 200 or response.will_close:
            raise self._unproven()
        return response.read(MAX_ANSWER_BYTES + 1)

    def _answer(self, body: bytes) -> tuple[str, int, str]:
        """Return the nonce, port and proof of an answer of the right form."""
        try:
            fields = json.loads(body) if len(body) <= MAX_ANSWER_BYTES else None
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise self._unproven()
        nonce, port, proven = (fields.get(name) for name in ("nonce", "port", "proof"))
        if type(port) is not int or not all(_is_hex(text) for text in (nonce, proven)):
            raise self._unproven()
        return str(nonce), port, str(proven)

    def _unproven(self) -> UnprovenError:
        return UnprovenError(
            f"Something other than the backend answers on port {self.port}. It was told nothing.",
            "Start the backend again. If you have entered a port and a token, check both.",
            "unproven",
        )


def _is_hex(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(NONCE, text) is not None
