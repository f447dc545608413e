"""Clips as the backend takes them: where a film or a sequence of pictures lies on the disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..problems import Problem
from .paths import path_of

# Frames a second that a film can have, those of time lapses and of high-speed cameras included.
FILM_RATES = (1e-3, 1000.0)


@dataclass(frozen=True)
class Clip:
    """A film, or the pictures of a sequence.

    Attributes
    ----------
    name
        Short name for data-blocks.
    path
        The film; or a pattern of the pictures' names, with ``%04d`` for their numbers.
    picture
        What Blender opens to show the clip: the film, or the first picture.
    frame_rate
        Frames a second of a sequence; None for a film, which knows its own.
    first_number
        Of the first picture of a sequence.
    """

    name: str
    path: Path
    picture: Path
    frame_rate: float | None = None
    first_number: int = 1

    @property
    def source(self) -> str:
        """Identity: the absolute path."""
        return str(self.path)


def clip_of_file(filepath: str) -> Clip:
    """Return the clip in a film; `filepath` may be relative to the .blend file (``//``).

    Raises
    ------
    Problem
        There is no such file.
    """
    path = _found(filepath)
    return Clip(path.stem, path, path)


def clip_of_data_block(block: Any, scene: bpy.types.Scene) -> Clip:
    """Return the clip in a movie clip, or in an image that is a film or a sequence.

    Parameters
    ----------
    block
        ``bpy.types.MovieClip`` or ``bpy.types.Image``.
    scene
        A sequence of pictures has its frame rate.

    Raises
    ------
    Problem
        The image is a single picture, or a file is missing.
    """
    path = _found(bpy.path.abspath(block.filepath, library=block.library))
    if block.source == "MOVIE":
        return Clip(path.stem, path, path)
    number = re.search(r"(\d+)(?=\D*$)", path.name)
    if block.source != "SEQUENCE" or number is None:
        raise Problem(
            f"{block.name!r} is neither a video nor an image sequence.",
            "Choose a video. For a photo, use Face from Image.",
        )
    before, after = path.name[: number.start()], path.name[number.end() :]
    digits = len(number[1])
    name = re.compile(rf"{re.escape(before)}(\d{{{digits},}}){re.escape(after)}")
    pictures = {
        int(match[1]): other
        for other in path.parent.iterdir()
        if (match := name.fullmatch(other.name)) and other.is_file()
    }
    first = min(pictures)
    pattern = path.with_name(f"{before}%0{digits}d{after}")
    stem = before.rstrip("_-. ") or path.parent.name
    return Clip(stem, pattern, pictures[first], frame_rate(scene), first)


def frame_rate(scene: bpy.types.Scene) -> float:
    """Return frames a second of a scene."""
    return scene.render.fps / scene.render.fps_base


def rate_for(scene: bpy.types.Scene, rate: float, times: NDArray[np.floating]) -> float:
    """Return frames a second that a scene is to have for a clip.

    Parameters
    ----------
    rate
        Frames a second, by the clip. One that no film has is an error of the file: then the times
        tell it, and if they do not, it is the scene's own rate.
    times
        (F,) seconds of the clip's frames.
    """
    gap = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    low, high = FILM_RATES
    usable = (r for r in (rate, 1 / gap if gap > 0 else 0.0) if low <= r <= high)
    return next(usable, frame_rate(scene))


def set_frame_rate(scene: bpy.types.Scene, rate: float) -> None:
    """Give a scene a frame rate of `rate_for`: 23.976 becomes 24 / 1.001."""
    scene.render.fps = max(round(rate), 1)
    scene.render.fps_base = scene.render.fps / rate


def _found(filepath: str) -> Path:
    if not filepath:
        raise Problem("No video is given.", "Choose a video, or a movie clip in this .blend file.")
    path = path_of(filepath)
    if not path.is_file():
        raise Problem(f"There is no file {path}.", "Choose another video.")
    return path
