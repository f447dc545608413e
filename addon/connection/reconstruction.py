"""From a photo's bytes to its faces: what a worker does, start to end. No ``bpy`` here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

from ..exchange.contract import DEFAULT_TEXTURE_MODE, FacesResult, StaticModel
from ..tasks import Reporter
from .client import BackendClient, Keys, Parts
from .connection import Connection, Location
from .jobs import finish_job


@dataclass(frozen=True)
class Order:
    """What is asked of the backend.

    Attributes
    ----------
    which
        The largest face of the photo, or all of them.
    texture_size
        Side of the square texture in pixels.
    texture_mode
        What fills the parts that the photo does not show, of `contract.TextureMode`.
    parts, keys
        What heads are made of, as in `VideoOrder`.
    """

    which: Literal["largest", "all"] = "largest"
    texture_size: Literal[512, 1024, 2048] = 1024
    texture_mode: str = DEFAULT_TEXTURE_MODE
    parts: Parts = "head"
    keys: Keys = "named"


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

    def work(client: BackendClient) -> Reconstruction:
        model = client.model()
        report(0.0, "Sending the photo")
        job = client.submit_face(photo, **asdict(order))
        return Reconstruction(model, finish_job(client, job, client.result, report))

    return connection.use(location, report, work)
