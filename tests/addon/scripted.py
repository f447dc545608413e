"""A server that proves that it knows the token and then says what a test wants it to say."""

from __future__ import annotations

import json
import re
import secrets
import socket
import threading

from tests.backend_client import session_proof

SCRIPTED_TOKEN = "token"


class ScriptedServer:
    """Answers the second request of every connection with the given pieces, then closes it.

    Parameters
    ----------
    pieces
        What is sent, whatever is asked.
    linger
        Seconds to wait before closing.
    proves
        Whether it answers the first request as a backend does; otherwise it gets the pieces.
    """

    def __init__(self, pieces: tuple[bytes, ...], linger: float = 0, proves: bool = True) -> None:
        self.requests: list[bytes] = []
        self._pieces, self._linger, self._proves = pieces, linger, proves
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._closed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._answer(connection)
                except OSError:
                    continue
                self._closed.wait(self._linger)

    def _answer(self, connection: socket.socket) -> None:
        if self._proves:
            connection.sendall(session_answer(connection.recv(65536), self.port))
        self.requests.append(connection.recv(65536))
        for piece in self._pieces:
            connection.sendall(piece)

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        self._listener.close()


def session_answer(request: bytes, port: int, token: str = SCRIPTED_TOKEN) -> bytes:
    """What a backend at a port says to the request that opens a connection."""
    asked = re.match(rb"GET /v1/session\?nonce=([0-9a-f]{64}) HTTP/1.1\r\n", request)
    assert asked and b"uthorization" not in request, request
    ours = secrets.token_hex(32)
    proof = session_proof(token, "backend", port, asked[1].decode(), ours)
    return ok(json.dumps({"nonce": ours, "port": port, "proof": proof}).encode())


def ok(body: bytes, *headers: str, length: int | None = None) -> bytes:
    """An answer of success, with a length that may lie."""
    lines = (
        "HTTP/1.1 200 OK",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
