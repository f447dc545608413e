"""Photos as the backend takes them: the bytes of an image file, and a name to know them by."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..exchange.contract import MAX_PHOTO_BYTES
from ..files import read_whole
from ..problems import Problem
from .compat import png_output
from .paths import path_of

IMAGE_SOURCE = "image:"
FIND_PHOTO = "If the photo was moved, choose it with Replace Photo."


@dataclass(frozen=True)
class Photo:
    """A photo, not yet read if it is a file.

    Attributes
    ----------
    source
        Identity: absolute path, or ``image:`` and the name of an image without a file.
    name
        Short name for objects.
    content
        Where to read it, or its bytes.
    remedy
        What to do if it cannot be read.
    """

    source: str
    name: str
    content: Path | bytes
    remedy: str = "Choose another photo."

    def read(self) -> bytes:
        """Return bytes of the image file; safe in a worker thread.

        Raises
        ------
        Problem
            The file cannot be read, or is no photo by its size or kind.
        """
        if isinstance(self.content, bytes):
            return self.content
        return read_whole(self.content, MAX_PHOTO_BYTES, self.remedy)


def photo_of_file(filepath: str) -> Photo:
    """Return the photo in a file; `filepath` may be relative to the .blend file (``//``)."""
    path = path_of(filepath)
    return Photo(str(path), path.stem, path)


def photo_of_image(image: bpy.types.Image, scene: bpy.types.Scene) -> Photo:
    """Return the photo in an image data-block: packed, from a file, painted, generated or rendered.

    Raises
    ------
    Problem
        The image is a video or has no pixels.
    """
    if image.source in ("MOVIE", "SEQUENCE", "TILED"):
        raise Problem(f"The image {image.name!r} is not a single photo.", "Choose a single photo.")
    # Bytes; some stubs say text.
    packed: Any = image.packed_file
    on_disk = image.source == "FILE" and image.filepath
    if on_disk and not image.is_dirty:
        photo = photo_of_file(bpy.path.abspath(image.filepath, library=image.library))
        return photo if packed is None else Photo(photo.source, photo.name, bytes(packed.data))
    stem = Path(image.name).stem or "image"
    source = f"{IMAGE_SOURCE}{image.name}"
    if packed is not None and not image.is_dirty:
        return Photo(source, stem, bytes(packed.data))
    return Photo(source, stem, _encoded_pixels(image, scene))


def photo_of_source(source: str, scene: bpy.types.Scene) -> Photo:
    """Return the photo that a head came from, by `Photo.source`.

    Raises
    ------
    Problem
        It was an image of the .blend file that is no longer there.
    """
    if not source.startswith(IMAGE_SOURCE):
        return replace(photo_of_file(source), remedy=FIND_PHOTO)
    name = source.removeprefix(IMAGE_SOURCE)
    image = bpy.data.images.get(name)
    if image is None:
        raise Problem(
            f"The head was made from the image {name!r}, which is no longer in this .blend file.",
            f"Open it again under that name. {FIND_PHOTO}",
        )
    return photo_of_image(image, scene)


def _encoded_pixels(image: bpy.types.Image, scene: bpy.types.Scene) -> bytes:
    with tempfile.TemporaryDirectory(prefix="synergyface-") as folder:
        path = Path(folder) / "photo.png"
        try:
            if image.source == "VIEWER":
                with png_output(scene.render.image_settings):
                    image.save_render(str(path), scene=scene)
            else:
                _save_copy(image, path)
            return path.read_bytes()
        except (RuntimeError, OSError) as error:
            raise Problem(
                f"The image {image.name!r} has no pixels.",
                "Open a photo in it, or render it first.",
            ) from error


def _save_copy(image: Any, path: Path) -> None:
    """Save the pixels of an image, which before 4.3 would become a file itself if it were saved."""
    width, height = image.size
    if not image.has_data or not width:
        raise OSError("no pixels")
    copy: Any = bpy.data.images.new(path.stem, width, height, float_buffer=image.is_float)
    try:
        pixels = np.empty(width * height * image.channels, np.float32)
        image.pixels.foreach_get(pixels)
        copy.pixels.foreach_set(_rgba(pixels, image.channels))
        copy.file_format = "PNG"
        copy.save(filepath=str(path))
    finally:
        bpy.data.images.remove(copy)


def _rgba(pixels: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Return flat RGBA of flat pixels with 1 (grey), 3 or 4 channels."""
    rows = pixels.reshape(-1, channels)
    rgba = np.ones((len(rows), 4), np.float32)
    rgba[:, :3] = rows[:, :3]
    return rgba.reshape(-1)
