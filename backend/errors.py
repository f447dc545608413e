"""Errors written for the person who meets them: what is wrong, and what to do about it."""

from __future__ import annotations


class SynergyFaceError(Exception):
    """A failure that we understand.

    Parameters
    ----------
    problem
        What is wrong, naming the file or value.
    remedy
        What the person can do about it; may be empty.
    code
        Stable machine-readable name; defaults to the class's own.
    """

    code = "failed"

    def __init__(self, problem: str, remedy: str = "", *, code: str | None = None) -> None:
        super().__init__(f"{problem} {remedy}".strip())
        self.problem = problem
        self.remedy = remedy
        if code is not None:
            self.code = code


class BadInputError(SynergyFaceError):
    """What was given cannot be used: exit code 2 on the command line, 4xx over HTTP."""

    code = "bad-input"


class NoFaceError(BadInputError):
    """The picture was read, and no face was found in it."""

    code = "no-face"


class MissingAssetError(SynergyFaceError):
    """A data or model file that a one-off command fetches is absent or damaged (exit code 2)."""

    code = "missing-asset"


class OutOfMemoryError(SynergyFaceError):
    """The work needs more memory than there is.

    Parameters
    ----------
    what
        ``memory``, or that of a device: ``memory of the graphics card``.
    """

    code = "out-of-memory"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"There is not enough {what}.",
            "Close other programs that use it, or use a smaller picture or texture.",
        )


class CancelledError(SynergyFaceError):
    """The person who asked for the work asked to stop it."""

    code = "cancelled"

    def __init__(self) -> None:
        super().__init__("The work was cancelled.")
