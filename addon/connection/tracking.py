"""From a clip to the faces in it: what a worker does, start to end. No ``bpy`` here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..exchange.contract import StaticModel, VideoResult
from ..exchange.orders import ClipOrder
from ..tasks import Reporter
from .client import BackendClient
from .connection import Connection, Location
from .jobs import finish_job

# Share of the work that is sending the video; what is not sent, but read where it lies, takes none.
SENDING = 0.05


@dataclass(frozen=True)
class Tracking:
    """The faces of a clip, and the arrays that all heads share."""

    model: StaticModel
    result: VideoResult


def track(
    connection: Connection, location: Location, clip: Path, order: ClipOrder, report: Reporter
) -> Tracking:
    """Have the backend track a clip; starts the backend if need be.

    Raises
    ------
    BackendError
        What failed, and what to do about it.
    CancelledError
        `report` was asked to stop; the backend's job is cancelled.
    """

    def work(client: BackendClient) -> Tracking:
        model = client.model()
        sending, working = report.part(0.0, SENDING), report.part(SENDING, 1.0)
        job = client.submit_video(clip, order, lambda share: sending(share, "Sending the video"))
        return Tracking(model, finish_job(client, job, client.video_result, working))

    return connection.use(location, report, work)
