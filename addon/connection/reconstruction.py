"""From a photo's bytes to its faces: what a worker does, start to end. No ``bpy`` here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..exchange.contract import FacesResult, StaticModel
from ..exchange.orders import PhotoOrder
from ..tasks import Reporter
from .client import BackendClient
from .connection import Connection, Location
from .jobs import finish_job


@dataclass(frozen=True)
class Reconstruction:
    """The faces, and the arrays that all heads share."""

    model: StaticModel
    result: FacesResult


def reconstruct(
    connection: Connection,
    location: Location,
    read_photo: Callable[[], bytes],
    order: PhotoOrder,
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

    def work(client: BackendClient) -> Reconstruction:
        model = client.model()
        report(0.0, "Sending the photo")
        job = client.submit_face(photo, order)
        return Reconstruction(model, finish_job(client, job, client.result, report))

    return connection.use(location, report, work)
