"""From a photo's bytes to its faces: what a worker does, start to end. No ``bpy`` here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from .client import BackendClient, BackendError, JobStatus
from .connection import Connection, Location
from .contract import FacesResult, StaticModel
from .tasks import CancelledError, Reporter

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Order:
    """What is asked of the backend.

    Attributes
    ----------
    which
        The largest face of the photo, or all of them.
    texture_size
        Side of the square texture in pixels.
    """

    which: Literal["largest", "all"] = "largest"
    texture_size: Literal[512, 1024, 2048] = 1024


@dataclass(frozen=True)
class Reconstruction:
    """The faces, and the arrays that all heads share."""

    model: StaticModel
    result: FacesResult


def reconstruct(
    connection: Connection,
    location: Location,
    read_photo: Callable[[], bytes],
    order: Order,
    report: Reporter,
) -> Reconstruction:
    """Have the backend reconstruct a photo; starts the backend if need be.

    Raises
    ------
    BackendError
        What failed, and what to do about it.
    CancelledError
        `report` was asked to stop; the backend's job is cancelled.
    Exception
        Whatever `read_photo` raises.
    """
    photo = read_photo()
    client = connection.client(location, report)
    try:
        model = client.model()
        report(0.0, "Sending the photo")
        job = client.submit_face(photo, order.which, order.texture_size)
        try:
            _wait(client, job, report)
            return Reconstruction(model, client.result(job))
        finally:
            # Stops a job that still runs, and has a finished one forget its result.
            with suppress(BackendError):
                client.cancel(job)
    except BackendError as error:
        raise connection.explain(error) from error


def _wait(client: BackendClient, job: str, report: Reporter) -> None:
    status: JobStatus = client.job(job)
    while not status.finished:
        report(status.progress, status.stage)
        status = client.job(job, wait=POLL_SECONDS, since=status.revision)
    if status.state == "cancelled":
        raise CancelledError
    if status.state == "failed":
        raise status.problem or BackendError("The backend could not reconstruct the photo.")
