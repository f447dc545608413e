"""Endings of the files that count as photos and as films, wherever files are chosen or gathered.

They only say what is worth a try: what a file is shows when it is read.
"""

from __future__ import annotations

from typing import Literal

PHOTO_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".heif", ".hif", ".avif",
    ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm", ".pnm", ".jp2", ".jxl",
    ".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".srw", ".orf", ".rw2", ".raf", ".pef",
)  # fmt: skip
FILM_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".mpg", ".mpeg", ".mpe",
    ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".m2t", ".mxf", ".wmv", ".asf", ".flv", ".f4v", ".ogv",
    ".ogm", ".3gp", ".3g2", ".dv", ".wtv", ".mjpg", ".mjpeg",
    ".h264", ".264", ".h265", ".265", ".hevc",
)  # fmt: skip

Kind = Literal["photo", "film"]


def kind_of(name: str) -> Kind | None:
    """Tell by a file's name whether it counts as a photo or a film; None for anything else."""
    stem, dot, ending = name.rpartition(".")
    suffix = f"{dot}{ending}".lower() if stem else ""
    if suffix in PHOTO_SUFFIXES:
        return "photo"
    return "film" if suffix in FILM_SUFFIXES else None
