"""What is asked of the backend: the same words in the add-on, in a request and in the backend."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from .contract.texture import DEFAULT_TEXTURE_MODE, TextureMode

Which = Literal["all", "largest"]


@dataclass(frozen=True)
class ClipOrder:
    """What is to be tracked in a clip.

    Attributes
    ----------
    start, end
        Seconds since the clip's first frame; None is the clip's own end.
    which
        All faces, or the largest only.
    texture_size, texture_mode
        Side of the textures in pixels, None makes none; and how they are made.
    frame_rate
        Pictures a second of an image sequence; None for films.
    fast
        Leave out MediaPipe's points: lids and eyes then don't move.
    neutral
        When the faces are neutral, seconds since the clip's first frame; None finds their rest.
    """

    start: float = 0.0
    end: float | None = None
    which: Which = "all"
    texture_size: int | None = 1024
    texture_mode: TextureMode = DEFAULT_TEXTURE_MODE
    frame_rate: float | None = None
    fast: bool = False
    neutral: float | None = None

    @property
    def query(self) -> dict[str, Any]:
        """The order as a request has it: no texture is 0."""
        return asdict(self) | {"texture_size": self.texture_size or 0}


@dataclass(frozen=True)
class PhotoOrder:
    """What is to be made of a photo; see `ClipOrder`."""

    which: Which = "largest"
    texture_size: int | None = 1024
    texture_mode: TextureMode = DEFAULT_TEXTURE_MODE

    @property
    def query(self) -> dict[str, Any]:
        """The order as a request has it: no texture is 0."""
        return asdict(self) | {"texture_size": self.texture_size or 0}
