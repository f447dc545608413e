"""The pipeline as the server uses it: bytes of a picture in, contract out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from backend import contract
from backend.engines import Device
from backend.pipeline import FaceReconstructor, faces_result, static_model
from backend.vision.images import decode_image


class PipelineReconstructor:
    """A ``backend.server.models.Reconstructor`` around the real pipeline.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    def __init__(self, device: Device) -> None:
        self._reconstructor = FaceReconstructor.load(device)

    @property
    def device(self) -> str:
        """Where the networks run."""
        return self._reconstructor.device

    def static_model(self) -> contract.StaticModel:
        """What all heads share."""
        return static_model(self._reconstructor.model)

    def faces(
        self,
        photo: bytes,
        which: Literal["all", "largest"],
        texture_size: int | None,
        progress: Callable[[float, str], None],
    ) -> contract.FacesResult:
        """Faces of a picture file's bytes.

        Raises
        ------
        BadInputError
            Not a picture that can be read, or no face in it.
        """
        progress(0.0, "reading")
        image = decode_image(photo, "The photo")
        faces = self._reconstructor.faces_from_image(
            image, which=which, texture_size=texture_size, progress=progress
        )
        height, width = image.shape[:2]
        return faces_result(faces, (width, height))
