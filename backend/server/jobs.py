"""Jobs: one at a time, the others wait; each can be watched and cancelled, running or not."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

from backend.errors import CancelledError
from backend.foreign.children import stopped_by
from backend.server.job import FINISHED, Job, JobStatus, Listener, Work, nothing
from backend.server.limits import Limits
from backend.server.problems import Problem, ProblemError, problem_of

Enter = Callable[..., str]

RETRY_SECONDS = 2
SWEEP_SECONDS = 60.0

log = logging.getLogger(__name__)


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
        self._jobs: dict[str, Job] = {}
        self._arriving: list[Job] = []
        self._waiting: deque[Job] = deque()
        self._finished: deque[Job] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def submit(self, work: Work) -> str:
        """Put work at the end of the queue; returns the job's id.

        Raises
        ------
        ProblemError
            The queue is full (429) or closed (503).
        """
        with self.place(0) as enter:
            return enter(work)

    @contextmanager
    def place(self, request_bytes: int) -> Iterator[Enter]:
        """Hold a place in the queue while a request arrives, so that no body is read in vain.

        Parameters
        ----------
        request_bytes
            The most that the request will hold in memory until its work begins.

        Yields
        ------
        What puts work into the place, at the end of the queue, and returns the job's id; it takes
        what is to be called when the job has ended, however it ends. A place that gets no work is
        free again after the block.

        Raises
        ------
        ProblemError
            The queue is full (429) or closed (503).
        """
        with self._changed:
            self._forget_expired()
            self._refuse_if_closed()
            self._refuse_if_full(request_bytes)
            job = Job(request_bytes=request_bytes)
            self._arriving.append(job)
        try:
            yield partial(self._enter, job)
        finally:
            with self._changed:
                if job in self._arriving:
                    self._arriving.remove(job)

    def _enter(self, job: Job, work: Work, ended: Callable[[], object] = nothing) -> str:
        with self._changed:
            self._refuse_if_closed()
            self._arriving.remove(job)
            job.work, job.ended = work, ended
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

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise _problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "stopping",
                "The backend is stopping.",
                "Start it again.",
            )

    def _refuse_if_full(self, request_bytes: int) -> None:
        ahead = [*self._waiting, *self._arriving]
        held = sum(job.request_bytes for job in ahead)
        too_long = held + request_bytes > self._limits.waiting_bytes
        if len(ahead) >= self._limits.waiting_jobs or (ahead and too_long):
            raise ProblemError(
                Problem(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "queue-full",
                    f"{len(ahead)} jobs are waiting already.",
                    "Wait for one to finish, or cancel one, and try again.",
                ),
                {"Retry-After": str(RETRY_SECONDS)},
            )

    def _take(self) -> Job | None:
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait(SWEEP_SECONDS)
                self._forget_expired()
            job = self._waiting.popleft()
            self._update(job, state="running")
            return job

    def _execute(self, job: Job) -> None:
        assert job.work is not None
        started = self._clock()
        try:
            with stopped_by(partial(_refuse_if_cancelled, job)):
                result = job.work(partial(self._report, job))
        except CancelledError:
            outcome: dict[str, Any] = {"state": "cancelled"}
        except BaseException as error:  # not even SystemExit may end the only worker
            outcome = {"state": "failed", "problem": problem_of(error)}
        else:
            outcome = {"state": "done", "progress": 1.0, "result": result}
        with self._changed:
            if job.cancelled:
                outcome = {"state": "cancelled"}
            self._finish(job, **outcome)
        log.info("Job %s after %.2f s", job.state, job.finished_at - started)

    def _report(self, job: Job, progress: float, stage: str) -> None:
        """What the work calls as it goes; stops it when it was cancelled."""
        with self._changed:
            _refuse_if_cancelled(job)
            self._update(job, progress=min(max(job.progress, float(progress)), 1.0), stage=stage)

    def _cancel(self, job: Job) -> None:
        job.cancelled = True
        if job.state == "queued":
            self._waiting.remove(job)
            self._finish(job, state="cancelled")
        else:
            self._update(job, stage="cancelling")

    def _finish(self, job: Job, **changes: Any) -> None:
        job.ended()
        job.work, job.ended = None, nothing
        job.finished_at = self._clock()
        self._finished.append(job)
        self._update(job, stage="", **changes)
        self._forget_expired()

    def _update(self, job: Job, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(job, name, value)
        job.revision += 1
        for listener in job.listeners:
            listener()

    def _find(self, job_id: str) -> Job:
        self._forget_expired()
        job = self._jobs.get(job_id)
        if job is None:
            raise _problem(
                HTTPStatus.NOT_FOUND,
                "no-such-job",
                "There is no such job, or its result has expired.",
                f"Results are kept for {self._limits.kept_seconds / 60:g} minutes. Run it again.",
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


def _refuse_if_cancelled(job: Job) -> None:
    if job.cancelled:
        raise CancelledError


def _problem(status: HTTPStatus, code: str, detail: str, remedy: str) -> ProblemError:
    return ProblemError(Problem(status, code, detail, remedy))
