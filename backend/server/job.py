"""One job: what it is to do, how far it is, and how that is told."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from backend.progress import Progress
from backend.server.problems import ProblemDocument

State = Literal["queued", "running", "done", "failed", "cancelled"]

Work = Callable[[Progress], bytes]
Listener = Callable[[], object]

FINISHED: frozenset[State] = frozenset({"done", "failed", "cancelled"})


def nothing() -> None:
    """Do nothing, as most jobs leave nothing to be done when they end."""


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment.

    Attributes
    ----------
    progress, stage
        From 0 to 1, and what is being done, in a word or two.
    revision
        Grows with every change.
    problem
        Why the job failed.
    """

    id: str
    state: State
    progress: float
    stage: str
    revision: int
    problem: ProblemDocument | None

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINISHED

    def document(self) -> dict[str, Any]:
        """Return what goes over the wire."""
        problem = self.problem.document() if self.problem else None
        return {
            "id": self.id,
            "state": self.state,
            "progress": self.progress,
            "stage": self.stage,
            "revision": self.revision,
            "problem": problem,
        }


@dataclass(eq=False)
class Job:
    """A job's record in the queue, which alone changes it.

    Attributes
    ----------
    work
        None before the request has come whole, and again once the work is over.
    request_bytes
        What the request holds in memory while the job waits.
    status, result
        See `JobStatus`; what the work returned.
    cancelled
        Somebody asked for the end of it.
    finished_at
        By the queue's clock.
    ended
        Called once, when the work is over or will never begin.
    listeners
        Called at every change.
    """

    work: Work | None = None
    request_bytes: int = 0
    ended: Callable[[], object] = nothing
    id: str = field(default_factory=partial(secrets.token_urlsafe, 16))
    state: State = "queued"
    progress: float = 0.0
    stage: str = ""
    revision: int = 0
    problem: ProblemDocument | None = None
    result: bytes = b""
    cancelled: bool = False
    finished_at: float = 0.0
    listeners: list[Listener] = field(default_factory=list)

    @property
    def status(self) -> JobStatus:
        """The record at this moment."""
        return JobStatus(
            self.id, self.state, self.progress, self.stage, self.revision, self.problem
        )
