"""A job of the backend, followed to its end by a worker. No ``bpy`` here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ..tasks import CancelledError, Reporter
from .client import BackendClient, BackendError, JobStatus

POLL_SECONDS = 0.5

T = TypeVar("T")


def finish_job(client: BackendClient, job: str, result: Callable[[str], T], report: Reporter) -> T:
    """Wait for a job, and take its result; the backend then forgets it.

    Parameters
    ----------
    client
        Of the backend.
    job
        The job's id.
    result
        Method of the client that fetches it.
    report
        Hears of the progress.

    Raises
    ------
    BackendError
        The job failed.
    CancelledError
        `report` was asked to stop; the job is cancelled.
    """
    try:
        _wait(client, job, report)
        return result(job)
    finally:
        # Stops a job that still runs, and has a finished one forget its result.
        with suppress(BackendError):
            client.cancel(job)


def _wait(client: BackendClient, job: str, report: Reporter) -> None:
    status: JobStatus = client.job(job)
    while not status.finished:
        report(status.progress, status.stage)
        status = client.job(job, wait=POLL_SECONDS, since=status.revision)
    if status.state == "cancelled":
        raise CancelledError
    if status.state == "failed":
        raise status.problem or BackendError("The job failed, and the backend did not say why.")
