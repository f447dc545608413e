"""The clip with the tracked heads laid over it, to look at."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.geometry.normals import vertex_normals
from backend.geometry.rasterizer import interpolate, rasterize
from backend.morphable_model.model import MorphableModel
from backend.output.film_file import written_film
from backend.progress import Progress, no_progress
from backend.tracking.track import Track, TrackedClip
from backend.vision.clip import Clip, Range, read_ahead

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

# Pixels of a head's longer side when it is rasterised; larger heads are drawn enlarged.
DRAWN = 240
OPACITY = 0.55
SKIN = np.array([0.80, 0.78, 0.74], np.float32)
LIGHT = np.array([-0.3, 0.4, 0.87], np.float32)
AMBIENT = np.float32(0.35)
IMAGE_FROM_MODEL = np.array([1, -1, 1], np.float32)
HALF = np.array([0.5, 0.5, 0], np.float32)


def write_overlay(
    path: Path,
    clip: Clip,
    tracked: TrackedClip,
    model: MorphableModel,
    progress: Progress = no_progress,
) -> None:
    """Write a film of the clip with every head over its face, frames at their own times.

    Parameters
    ----------
    path
        Its ending is one of `film_file.ENCODINGS`.
    clip
        The clip that was tracked; it is decoded once more.
    progress
        As in `pipeline`; may raise to stop.

    Raises
    ------
    BadInputError
        The clip can no longer be read, or the file not be written.
    """
    heads = [_Head(track, model) for track in tracked.tracks]
    rows = {number: row for row, number in enumerate(tracked.frames.tolist())}
    part = Range(max(0.0, float(tracked.times[0])), float(tracked.times[-1]))
    info = tracked.info
    with (
        written_film(path, info.decoded_size, info.frame_rate) as write,
        closing(read_ahead(clip.frames(part))) as frames,
    ):
        for frame in frames:
            row = rows.get(frame.number)
            if row is None:
                continue
            progress(row / len(tracked.times), "drawing the preview")
            picture = frame.image
            for head in heads:
                picture = head.over(picture, row, info.decoded_scale)
            write(picture, frame.time - part.start)


class _Head:
    """Draws one track."""

    def __init__(self, track: Track, model: MorphableModel) -> None:
        self._track = track
        self._model = model
        neutral = model.vertices(track.alpha_shape)
        self._normals = vertex_normals(neutral, model.triangles)

    def over(self, picture: Image, row: int, scale: float) -> Image:
        """Return a picture with this head over it; `scale` is its pixels per pixel of the clip."""
        track, model = self._track, self._model
        if not track.present[row]:
            return picture
        rotation = track.rotation[row]
        head = model.vertices(track.alpha_shape, track.expression[row] * model.expression_sigma)
        placed = head @ (rotation * track.scale[row]).T * IMAGE_FROM_MODEL + track.translation[row]
        placed = (placed + HALF) * np.float32(scale) - HALF
        shade = AMBIENT + (1 - AMBIENT) * np.maximum(self._normals @ rotation.T @ LIGHT, 0)
        return _blended(picture, placed, shade, model)


def _blended(picture: Image, vertices: Float, shade: Float, model: MorphableModel) -> Image:
    """Lay a shaded head over its part of a picture."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    shrink = min(1.0, DRAWN / float((high - low)[:2].max()))
    width, height = np.ceil((high - low)[:2] * shrink).astype(int) + 1
    local = (vertices - low) * np.float32(shrink)
    fragments = rasterize(local, model.triangles, int(height), int(width))
    drawn = interpolate(fragments, model.triangles, shade[:, None])
    layer = np.dstack([drawn[..., 0], fragments.covered]).astype(np.float32)
    # From the head's own pixels to the picture's.
    affine = np.array([[1 / shrink, 0, low[0]], [0, 1 / shrink, low[1]]])
    x0, y0 = np.maximum(np.floor(low[:2]).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(high[:2]).astype(int) + 2, picture.shape[1::-1])
    if x0 >= x1 or y0 >= y1:
        return picture
    affine[:, 2] -= (x0, y0)
    layer = cv2.warpAffine(layer, affine, (int(x1 - x0), int(y1 - y0)))
    # Where the layer's colour fades out at its border, so does its weight.
    weight = np.float32(OPACITY) * layer[..., 1:]
    colour = np.float32(255 * OPACITY) * layer[..., :1] * SKIN
    result = picture.copy()
    part = result[y0:y1, x0:x1]
    part[:] = np.clip(part * (1 - weight) + colour, 0, 255)
    return result
