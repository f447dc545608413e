"""The backend as a process: its socket, its one line on stdout, and every way it ends."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout, suppress

import uvicorn
from fastapi import FastAPI
from uvicorn.server import HANDLED_SIGNALS

from backend.errors import BadInputError
from backend.exchange.contract import PROTOCOL
from backend.foreign.children import end_children
from backend.server.app import create_app
from backend.server.clip_paths import ClipPaths
from backend.server.connection import TimedConnection
from backend.server.parent_watch import end_with_parent
from backend.server.reconstructor import Reconstructor
from backend.server.security import new_token, token_from_environment
from backend.server.server_file import server_file, server_file_path
from backend.version import VERSION

HOST = "127.0.0.1"
GRACE_SECONDS = 3

log = logging.getLogger(__name__)


def serve(
    load_reconstructor: Callable[[], Reconstructor],
    *,
    port: int = 0,
    device: str = "auto",
    exit_with_parent: bool = False,
    paths: ClipPaths | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or, if asked for, the end of stdin.

    Prints one JSON line on stdout when requests are answered; everything else goes to stderr.

    Parameters
    ----------
    load_reconstructor
        Called once, in the worker thread.
    port
        0 lets the operating system choose.
    device
        The device asked for, shown until the models are loaded.
    exit_with_parent
        Stop when stdin ends, as it does when the process that started this one is gone.
    paths
        Which clips may be named in place of being sent; none by default.

    Raises
    ------
    BadInputError
        The port is taken, the token is unusable, or ``server.json`` cannot be written.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    given = token_from_environment()
    token = given or new_token()
    with listen(port) as listener:
        port = listener.getsockname()[1]
        place = nullcontext() if given else server_file(server_file_path(), port, token)
        server = Server(
            create_app(load_reconstructor, token, device=device, paths=paths), on_ready=_announce
        )
        for number in HANDLED_SIGNALS:
            # Uvicorn raises the signal again when it has shut down: this makes that harmless.
            signal.signal(number, lambda *_: server.stop())
        if exit_with_parent:
            end_with_parent(server.stop)
        with place, redirect_stdout(sys.stderr):
            if not given:
                log.info("Port and token are in %s", server_file_path())
            server.run(sockets=[listener])
    log.info("Stopped")
    _leave_if_worker_is_stuck()


def listen(port: int) -> socket.socket:
    """Socket that listens on the loopback interface; port 0 takes a free one.

    Raises
    ------
    BadInputError
        The port is taken or forbidden.
    """
    # By the protocol's name asyncio knows that small pieces are to be sent at once. Otherwise they
    # wait 40 ms for the receipt of those before, on all but the first request of a connection.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":
            # Otherwise Windows lets another program listen on the same port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise BadInputError(
            f"Cannot listen on port {port}: {error.strerror or error}.",
            "Choose another --port, or leave it out to use a free one.",
            code="bad-port",
        ) from error
    return listener


class Server(uvicorn.Server):
    """Uvicorn's server that says when it is ready and stops the jobs before it waits for clients.

    Parameters
    ----------
    app
        Made by ``create_app``.
    on_ready
        Called with the port once requests are answered.
    """

    def __init__(self, app: FastAPI, on_ready: Callable[[int], None]) -> None:
        config = uvicorn.Config(
            app,
            http=TimedConnection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self._stop_jobs: Callable[[], None] = app.state.stop
        self._on_ready = on_ready

    def stop(self) -> None:
        """Begin to shut down; any thread may call it."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        assert sockets
        self._on_ready(sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the jobs first: the long polls that wait for them are then answered."""
        self._stop_jobs()
        end_children()
        await super().shutdown(sockets)


def _announce(port: int) -> None:
    line = {
        "ready": True,
        "port": port,
        "protocol": PROTOCOL,
        "version": VERSION,
        "pid": os.getpid(),
    }
    # Nobody may be left to read it; sys.stdout is redirected by now.
    with suppress(OSError, AttributeError):
        print(json.dumps(line), file=sys.__stdout__, flush=True)


def _leave_if_worker_is_stuck() -> None:
    """End the process now if a thread sits in a native call, where tidy finalisation may crash."""
    ours = (t for t in threading.enumerate() if t.name.startswith(("worker", "stream")))
    if any(thread.is_alive() for thread in ours):
        logging.shutdown()
        os._exit(0)
