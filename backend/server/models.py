"""The loaded networks and the morphable model: one set for the life of the process."""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import platform
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal

from backend.exchange import contract
from backend.server.problems import ProblemDocument, ProblemError, problem_of
from backend.server.reconstructor import Reconstructor
from backend.version import VERSION

LIBRARIES = ("fastapi", "mediapipe", "numpy", "onnxruntime", "torch")
RETRY_SECONDS = 2

log = logging.getLogger(__name__)


class Models:
    """Loads a reconstructor once, and says how far that is.

    Parameters
    ----------
    load_reconstructor
        Slow; may raise anything.
    device
        The device asked for, shown until the reconstructor knows which one it is.
    """

    def __init__(self, load_reconstructor: Callable[[], Reconstructor], device: str) -> None:
        self._load_reconstructor = load_reconstructor
        self._reconstructor: Reconstructor | None = None
        self._lock = threading.Lock()
        self._state: Literal["starting", "loading", "ready", "failed"] = "starting"
        self._problem: ProblemDocument | None = None
        self._device = device
        self._body = b""
        self._etag = ""

    def load(self) -> None:
        """Load; a failure is kept for whoever asks, not raised."""
        with self._lock:
            self._state = "loading"
        started = time.monotonic()
        try:
            reconstructor = self._load_reconstructor()
            body = contract.encode_model(reconstructor.static_model())
        except Exception as error:
            problem = problem_of(error)
            log.error("The models could not be loaded: %s %s", problem.detail, problem.remedy)
            with self._lock:
                self._state, self._problem = "failed", problem
            return
        with self._lock:
            self._state, self._reconstructor = "ready", reconstructor
            self._device = reconstructor.device
            self._body, self._etag = body, f'"{hashlib.sha256(body).hexdigest()}"'
        log.info("Models loaded in %.2f s on %s", time.monotonic() - started, self._device)

    def health(self) -> dict[str, Any]:
        """Return the document of ``GET /v1/health``."""
        with self._lock:
            return {
                "state": self._state,
                "protocol": contract.PROTOCOL,
                "version": VERSION,
                "device": self._device,
                "versions": _library_versions(),
                "problem": self._problem.document() if self._problem else None,
            }

    def refuse_if_failed(self) -> None:
        """Raise the problem of loading (``ProblemError``, 503), if there was one."""
        with self._lock:
            if self._problem:
                problem = self._problem
                raise ProblemError(
                    ProblemDocument(
                        HTTPStatus.SERVICE_UNAVAILABLE, problem.code, problem.detail, problem.remedy
                    )
                )

    def reconstructor(self) -> Reconstructor:
        """Return the loaded reconstructor.

        Raises
        ------
        ProblemError
            It could not be loaded, or is not yet (503).
        """
        self.refuse_if_failed()
        with self._lock:
            if self._reconstructor is None:
                raise ProblemError(
                    ProblemDocument(
                        HTTPStatus.SERVICE_UNAVAILABLE,
                        "loading",
                        "The models are still being loaded.",
                        "Try again in a few seconds.",
                    ),
                    {"Retry-After": str(RETRY_SECONDS)},
                )
            return self._reconstructor

    def static_model(self) -> tuple[str, bytes]:
        """Return the ETag and body of ``GET /v1/model``.

        Raises
        ------
        ProblemError
            As `reconstructor`.
        """
        self.reconstructor()
        return self._etag, self._body


def _library_versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
