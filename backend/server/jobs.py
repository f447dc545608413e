"""Jobs: one at a time, the others wait; each can be watched and cancelled, running or not."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Literal

from backend.errors import CancelledError
from backend.server.limits import Limits
from backend.server.problems import Problem, ProblemError, problem_of

State = Literal["queued", "running", "done", "failed", "cancelled"]
Progress = Callable[[float, str], None]
Work = Callable[[Progress], bytes]
Listener = Callable[[], object]

FINISHED: frozenset[State] = frozenset({"done", "failed", "cancelled"})
RETRY_SECONDS = 2
SWEEP_SECONDS = 60.0

log = logging.getLogger(__name__)


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
    problem: Problem | None

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINISHED

    def document(self) -> dict[str, Any]:
        """What goes over the wire."""
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
class _Job:
    work: Work | None
    id: str = field(default_factory=partial(secrets.token_urlsafe, 16))
    state: State = "queued"
    progress: float = 0.0
    stage: str = ""
    revision: int = 0
    problem: Problem | None = None
    result: bytes = b""
    cancelled: bool = False
    finished_at: float = 0.0
    listeners: list[Listener] = field(default_factory=list)

    @property
    def status(self) -> JobStatus:
        return JobStatus(
            self.id, self.state, self.progress, self.stage, self.revision, self.problem
        )


class JobQueue:
    """A bounded queue and the jobs that have come out of it. Any thread may call any method.

    Parameters
    ----------
    limits
        How many jobs wait, and how long finished ones are kept.
    clock
        Seconds, for the age of results.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._jobs: dict[str, _Job] = {}
        self._waiting: deque[_Job] = deque()
        self._finished: deque[_Job] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def submit(self, work: Work) -> str:
        """Put work at the end of the queue; returns the job's id.

        Raises
        ------
        ProblemError
            The queue is full (429) or closed (503).
        """
        with self._changed:
            self._forget_expired()
            if self._closed:
                raise _problem(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "stopping",
                    "The backend is stopping.",
                    "Start it again.",
                )
            if len(self._waiting) >= self._limits.waiting_jobs:
                raise ProblemError(
                    Problem(
                        HTTPStatus.TOO_MANY_REQUESTS,
                        "queue-full",
                        f"{len(self._waiting)} jobs are waiting already.",
                        "Wait for one to finish, or cancel one, and try again.",
                    ),
                    {"Retry-After": str(RETRY_SECONDS)},
                )
            job = _Job(work)
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._changed.notify()
            return job.id

    def status(self, job_id: str) -> JobStatus:
        """Status of a job.

        Raises
        ------
        ProblemError
            There is no such job, or no longer (404).
        """
        with self._changed:
            return self._find(job_id).status

    def result(self, job_id: str) -> bytes:
        """What the work of a done job returned.

        Raises
        ------
        ProblemError
            No such job (404), not done (409), or the problem that made it fail.
        """
        with self._changed:
            job = self._find(job_id)
        if job.problem:
            raise ProblemError(job.problem)
        if job.state == "cancelled":
            raise _problem(HTTPStatus.CONFLICT, "cancelled", "The job was cancelled.", "Run again.")
        if job.state != "done":
            raise _problem(
                HTTPStatus.CONFLICT,
                "not-done",
                f"The job is {job.state}; it has no result yet.",
                "Ask for its status until it is done.",
            )
        return job.result

    def cancel(self, job_id: str) -> JobStatus:
        """Stop a job; a running one stops at its next report. A finished one is forgotten.

        Raises
        ------
        ProblemError
            No such job (404).
        """
        with self._changed:
            job = self._find(job_id)
            if job.state in FINISHED:
                self._finished.remove(job)
                del self._jobs[job_id]
            else:
                self._cancel(job)
            return job.status

    @contextmanager
    def listening(self, job_id: str, listener: Listener) -> Iterator[None]:
        """Call `listener` at every change of a job, in the thread that makes it.

        Raises
        ------
        ProblemError
            No such job (404).
        """
        with self._changed:
            job = self._find(job_id)
            job.listeners.append(listener)
        try:
            yield
        finally:
            with self._changed:
                job.listeners.remove(listener)

    def run(self) -> None:
        """Do the jobs, one after the other, until the queue is closed: the worker's whole life."""
        while (job := self._take()) is not None:
            self._execute(job)

    def close(self) -> None:
        """Cancel everything and let `run` return."""
        with self._changed:
            self._closed = True
            for job in list(self._jobs.values()):
                if job.state not in FINISHED:
                    self._cancel(job)
            self._changed.notify_all()

    def _take(self) -> _Job | None:
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait(SWEEP_SECONDS)
                self._forget_expired()
            job = self._waiting.popleft()
            self._update(job, state="running")
            return job

    def _execute(self, job: _Job) -> None:
        assert job.work is not None
        started = self._clock()
        try:
            result = job.work(partial(self._report, job))
        except CancelledError:
            outcome: dict[str, Any] = {"state": "cancelled"}
        except Exception as error:
            outcome = {"state": "failed", "problem": problem_of(error)}
        else:
            outcome = {"state": "done", "progress": 1.0, "result": result}
        with self._changed:
            if job.cancelled:
                outcome = {"state": "cancelled"}
            self._finish(job, **outcome)
        log.info("Job %s after %.2f s", job.state, job.finished_at - started)

    def _report(self, job: _Job, progress: float, stage: str) -> None:
        """What the work calls as it goes; stops it when it was cancelled."""
        with self._changed:
            if job.cancelled:
                raise CancelledError
            self._update(job, progress=min(max(job.progress, float(progress)), 1.0), stage=stage)

    def _cancel(self, job: _Job) -> None:
        job.cancelled = True
        if job.state == "queued":
            self._waiting.remove(job)
            self._finish(job, state="cancelled")
        else:
            self._update(job, stage="cancelling")

    def _finish(self, job: _Job, **changes: Any) -> None:
        job.work = None
        job.finished_at = self._clock()
        self._finished.append(job)
        self._update(job, stage="", **changes)
        self._forget_expired()

    def _update(self, job: _Job, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(job, name, value)
        job.revision += 1
        for listener in job.listeners:
            listener()

    def _find(self, job_id: str) -> _Job:
        self._forget_expired()
        job = self._jobs.get(job_id)
        if job is None:
            raise _problem(
                HTTPStatus.NOT_FOUND,
                "no-such-job",
                "There is no such job, or its result has expired.",
                f"Results are kept for {self._limits.kept_seconds / 60:g} minutes; run it again.",
            )
        return job

    def _forget_expired(self) -> None:
        kept_bytes = sum(len(job.result) for job in self._finished)
        while self._finished:
            oldest = self._finished[0]
            too_many = len(self._finished) > 1 and (
                len(self._finished) > self._limits.kept_jobs or kept_bytes > self._limits.kept_bytes
            )
            if not too_many and self._clock() - oldest.finished_at < self._limits.kept_seconds:
                return
            self._finished.popleft()
            kept_bytes -= len(oldest.result)
            del self._jobs[oldest.id]


def _problem(status: HTTPStatus, code: str, detail: str, remedy: str) -> ProblemError:
    return ProblemError(Problem(status, code, detail, remedy))
