"""What the server needs of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.exchange import contract
from backend.exchange.contract import TextureMode
from backend.exchange.orders import ClipOrder, PhotoOrder

Progress = Callable[[float, str], None]


class TextureSize(IntEnum):
    """Pixels along a side; 0 is no texture."""

    NONE = 0
    SMALL = 512
    MEDIUM = 1024
    LARGE = 2048


class LiveTracker(Protocol):
    """Follows the faces of one stream; used by one thread at a time."""

    def frame(self, image: NDArray[np.uint8], time: float) -> contract.FrameResult:
        """Faces of the next frame: (H, W, 3) uint8 RGB, at a later time in seconds."""
        ...


class Reconstructor(Protocol):
    """What the server needs of the pipeline."""

    @property
    def device(self) -> str:
        """Where the networks run: ``cpu``, ``cuda`` or ``mps``."""
        ...

    def static_model(self) -> contract.StaticModel:
        """What all heads share."""
        ...

    def faces(self, photo: bytes, order: PhotoOrder, progress: Progress) -> contract.FacesResult:
        """Faces of a picture file's bytes; stops when `progress` raises ``CancelledError``."""
        ...

    def texture(
        self, order: contract.TextureOrder, size: int, mode: TextureMode, progress: Progress
    ) -> NDArray[np.uint8]:
        """(N,) bytes of a PNG file, the texture of a head whose parameters are known."""
        ...

    def track(self, clip: Path, order: ClipOrder, progress: Progress) -> contract.VideoResult:
        """Faces of a film, of a folder or of a pattern of pictures; stops as `faces` does.

        What was done before a crash, of the same clip and order, need not be done again.
        """
        ...

    def live_tracker(self, smoothing: float) -> LiveTracker:
        """Tracker of a new stream; `smoothing` from 0, raw values, to 1. Any thread may ask."""
        ...
