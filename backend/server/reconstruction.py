"""The pipeline as the server uses it: pictures and clips in, contract out."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.answers.clips import video_result
from backend.answers.faces import faces_result, static_model
from backend.answers.frames import frame_result
from backend.answers.pictures import encode_png
from backend.clip_pipeline import ClipRequest, track_from_video
from backend.engines.devices import Device
from backend.errors import MissingAssetError
from backend.exchange import contract
from backend.exchange.contract import TextureMode
from backend.exchange.orders import ClipOrder, PhotoOrder
from backend.morphable_model.boxes import RoiBox
from backend.pipeline import FaceReconstructor
from backend.progress import Progress, part
from backend.sandbox.children import warm_child
from backend.server.unfinished import unfinished_work
from backend.tracking.live import LiveTracker
from backend.vision.images import decode_image

if TYPE_CHECKING:
    from backend.head.dressed import HeadMaker

log = logging.getLogger(__name__)


class PipelineReconstructor:
    """A ``backend.server.models.Reconstructor`` around the real pipeline.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    def __init__(self, device: Device) -> None:
        warm_child()
        self._reconstructor = FaceReconstructor.load(device)

    @property
    def device(self) -> str:
        """Where the networks run."""
        return self._reconstructor.device

    def static_model(self) -> contract.StaticModel:
        """Return what all heads share."""
        return static_model(self._reconstructor.model, self._maker)

    def faces(self, photo: bytes, order: PhotoOrder, progress: Progress) -> contract.FacesResult:
        """Return faces of a picture file's bytes.

        Raises
        ------
        BadInputError
            Not a picture that can be read, or no face in it.
        """
        progress(0.0, "reading")
        image = decode_image(photo, "The photo")
        faces = self._reconstructor.faces_from_image(
            image,
            which=order.which,
            texture_size=order.texture_size,
            texture_mode=order.texture_mode,
            progress=progress,
        )
        height, width = image.shape[:2]
        maker = self._maker_for(order)
        heads = [maker.of_face(face) for face in faces] if maker else []
        return faces_result(faces, (width, height), heads, order.parts)

    def texture(
        self, order: contract.TextureOrder, size: int, mode: TextureMode, progress: Progress
    ) -> NDArray[np.uint8]:
        """Return (N,) bytes of a PNG file, the texture of a head whose parameters are known.

        Raises
        ------
        BadInputError
            Not a picture that can be read.
        """
        progress(0.0, "reading")
        image = decode_image(order.photo.tobytes(), "The photo")
        box = RoiBox.from_corners(*order.roi_box)
        made = self._reconstructor.texture_from_parameters(
            image, order.parameters, box, size, mode, part(progress, 0.1, 1.0)
        )
        if order.has_eyes and self._maker is not None:
            return encode_png(self._maker.without_eyes(made.albedo))
        return encode_png(made.albedo)

    def track(self, clip: Path, order: ClipOrder, progress: Progress) -> contract.VideoResult:
        """Return faces of a clip; goes on where an earlier work on the same clip was cut off.

        Raises
        ------
        BadInputError
            Not a clip that can be read, or no face in it.
        """
        request = ClipRequest.of(clip, order)
        with unfinished_work(request.key) as keep:
            tracked = track_from_video(request, self._reconstructor, keep=keep, progress=progress)
        return video_result(tracked, self._reconstructor.model, self._maker_for(order), order.parts)

    @cached_property
    def _maker(self) -> HeadMaker | None:
        """What makes whole heads; None while what it needs is not there."""
        try:
            return self._reconstructor.head_maker
        except MissingAssetError as error:
            log.warning("%s Heads are faces alone.", error)
            return None

    def _maker_for(self, order: PhotoOrder | ClipOrder) -> HeadMaker | None:
        """Return what makes the heads that are asked for; None of faces with the model's keys."""
        return None if order.keys == "bfm" else self._maker

    def live_tracker(self, smoothing: float) -> AnsweringTracker:
        """Return the tracker of a new stream."""
        return AnsweringTracker(self._reconstructor.live_tracker(smoothing))


class AnsweringTracker:
    """Follows the faces of one stream, and says so as the wire does."""

    def __init__(self, tracker: LiveTracker) -> None:
        self._tracker = tracker

    def frame(self, image: NDArray[np.uint8], time: float) -> contract.FrameResult:
        """Return faces of the next frame, see `LiveTracker.frame`."""
        return frame_result(self._tracker.frame(image, time))
