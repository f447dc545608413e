"""From the name of a clip to its frames."""

from __future__ import annotations

from pathlib import Path

from backend.errors import BadInputError
from backend.vision.clip import Clip
from backend.vision.image_sequence import ImageSequence, is_image_sequence
from backend.vision.video import VideoFile


def open_clip(source: Path, frame_rate: float | None = None) -> Clip:
    """Open a video file or an image sequence.

    Parameters
    ----------
    source
        A video file; a folder of pictures; or a pattern of picture names, with one ``%04d`` or
        the like for the number, or with ``*`` and ``?``.
    frame_rate
        Pictures a second of an image sequence. A video has its own times.

    Raises
    ------
    BadInputError
        There is no such clip, it is no clip, its codec is unknown, or the frame rate is missing
        or not needed.
    """
    if is_image_sequence(source):
        return ImageSequence(source, frame_rate)
    if frame_rate is not None:
        raise BadInputError(
            f"{source} is a video and has its own frame times.",
            "Give frames per second only for image sequences.",
        )
    return VideoFile(source)
