"""From a photo and a known head to another texture: what a worker does. No ``bpy`` here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..exchange.contract import TextureOrder
from ..tasks import Reporter
from .client import BackendClient
from .connection import Connection, Location
from .jobs import finish_job


@dataclass(frozen=True)
class KnownHead:
    """Where a head is in its photo, and what texture it shall have.

    Attributes
    ----------
    read_photo
        Gives the bytes of the picture file; called in the worker.
    parameters, roi_box
        As in `FaceResult`.
    size
        Side of the square texture in pixels.
    mode
        Of `contract.TextureMode`.
    has_eyes
        As in `TextureOrder`.
    """

    read_photo: Callable[[], bytes]
    parameters: Sequence[float]
    roi_box: tuple[float, float, float, float]
    size: Literal[512, 1024, 2048]
    mode: str
    has_eyes: bool = False


def retexture(
    connection: Connection, location: Location, heads: Sequence[KnownHead], report: Reporter
) -> list[NDArray[np.uint8]]:
    """Have the backend make textures; starts it if need be.

    Returns
    -------
    The bytes of a PNG file for each head.

    Raises
    ------
    BackendError
        What failed, and what to do about it.
    CancelledError
        `report` was asked to stop; the backend's job is cancelled.
    Exception
        Whatever `read_photo` raises.
    """
    orders = [
        TextureOrder(
            np.frombuffer(head.read_photo(), np.uint8),
            np.asarray(head.parameters, np.float32),
            head.roi_box,
            head.has_eyes,
        )
        for head in heads
    ]

    def work(client: BackendClient) -> list[NDArray[np.uint8]]:
        textures = []
        for number, (head, order) in enumerate(zip(heads, orders, strict=True)):
            part = report.part(number / len(heads), (number + 1) / len(heads))
            job = client.submit_texture(order, head.size, head.mode)
            textures.append(finish_job(client, job, client.texture_result, part))
        return textures

    return connection.use(location, report, work)
