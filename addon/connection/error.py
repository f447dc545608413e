"""What a request to the backend can fail with."""

from __future__ import annotations


class BackendError(Exception):
    """A request that did not succeed, in words for the person who made it.

    Attributes
    ----------
    message
        What is wrong.
    remedy
        What to do about it; may be empty.
    code
        Stable name: the backend's own (``no-face``, ``queue-full``, ``unauthorized``, ...), or
        one of the client's: ``unreachable``, ``timeout``, ``connection-lost``, ``bad-response``,
        ``protocol-mismatch``, ``not-loopback``, ``bad-token``, ``bad-server-file``, ``too-large``,
        ``unproven``, ``wrong-port``.
    """

    def __init__(self, message: str, remedy: str = "", code: str = "failed") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy
        self.code = code


def bad_response(reason: str) -> BackendError:
    """Return the error of an answer that a backend of ours would not give."""
    return BackendError(
        f"The add-on cannot use the backend's answer: {reason}.",
        "Check that this is the port of a SynergyFace backend, and update the backend.",
        "bad-response",
    )
