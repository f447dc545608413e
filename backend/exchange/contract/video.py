"""Faces tracked through a clip."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .container import ContractError, decode, encode
from .fields import (
    Shape,
    array,
    entries,
    expect_kind,
    finite_array,
    floats,
    image_size,
    reading_envelope,
)
from .performance import N_ANGLES, N_KEYS, NO_AMOUNTS
from .protocol import N_EXPRESSIONS, N_PARAMETERS, PROTOCOL
from .whole_head import (
    WholeHead,
    count_keys,
    head_arrays,
    head_envelope,
    image_arrays,
    read_head,
)


@dataclass(frozen=True)
class VideoTrack:
    """One face through a clip, one row for every frame; values are not smoothed.

    In a gap, a frame without this face, `confidence` is 0 and the other rows are NaN.

    Attributes
    ----------
    number
        From 0, left to right where the face first appears, earlier ones first.
    neutral
        (V, 3) float32, the person's head without expression: metres, Blender's frame.
    parameters
        (F, 62) float32, not whitened, in the crop frame of `roi_boxes`.
    roi_boxes
        (F, 4) float32: x0, y0, x1, y1 of the square crop in image pixels.
    quaternions
        (F, 4) float32 (w, x, y, z), w >= 0: the head's rotation in Blender's frame, for a camera
        that looks along +Y.
    scale
        (F,) float32, image pixels per millimetre.
    translation
        (F, 3) float32, image position of the model's origin (x right, y down, z to the viewer).
    expression
        (F, 10) float32, standard deviations of the model's `expression_basis`.
    confidence
        (F,) float32 in [0, 1].
    texture_png
        (N,) uint8, the bytes of a PNG file; empty when no texture was asked for.
    whole
        Named keys and the parts beside the face; None if the face alone was asked for, or if the
        backend can make no more.
    amounts
        (F, K) float32 in [0, 1]: the expression in the keys of `whole`. Without a whole head in all
        of `EXPRESSION_NAMES`, or (0, 0) if the backend does not know them.
    gaze
        (F, 4) float32, degrees against the head: of the person's right eye to the person's left
        and up, then of the left eye; (0, 0) if the backend does not know them.
    """

    number: int
    neutral: NDArray[np.float32]
    parameters: NDArray[np.float32]
    roi_boxes: NDArray[np.float32]
    quaternions: NDArray[np.float32]
    scale: NDArray[np.float32]
    translation: NDArray[np.float32]
    expression: NDArray[np.float32]
    confidence: NDArray[np.float32]
    texture_png: NDArray[np.uint8]
    whole: WholeHead | None = None
    amounts: NDArray[np.float32] = field(default_factory=NO_AMOUNTS.copy)
    gaze: NDArray[np.float32] = field(default_factory=NO_AMOUNTS.copy)


@dataclass(frozen=True)
class VideoResult:
    """A tracked clip of F frames.

    Attributes
    ----------
    tracks
        By number.
    times
        (F,) float64, seconds since the clip's first frame, never falling.
    frames
        (F,) int64, numbers of the frames, from 0 at the clip's first.
    image_size
        Width and height of the picture as it is shown.
    frame_rate
        Average frames a second.
    """

    tracks: tuple[VideoTrack, ...]
    times: NDArray[np.float64]
    frames: NDArray[np.int64]
    image_size: tuple[int, int]
    frame_rate: float


# Arrays with a row for every frame, and the shape of a row.
_ROWS: dict[str, tuple[int, ...]] = {
    "parameters": (N_PARAMETERS,),
    "roi_boxes": (4,),
    "quaternions": (4,),
    "scale": (),
    "translation": (3,),
    "expression": (N_EXPRESSIONS,),
}
_TRACK_ARRAYS = ("neutral", *_ROWS, "confidence", "texture_png")


def encode_video(result: VideoResult) -> bytes:
    """Body of a finished video job's result."""
    envelope = {
        "kind": "video",
        "protocol": PROTOCOL,
        "image_size": list(result.image_size),
        "frame_rate": result.frame_rate,
        "tracks": [
            {"number": track.number, "whole": head_envelope(track.whole)} for track in result.tracks
        ],
    }
    # Wide numbers first and PNGs last: every number then lies at a multiple of its size.
    arrays: dict[str, NDArray[Any]] = {"times": result.times, "frames": result.frames}
    for index, track in enumerate(result.tracks):
        arrays |= head_arrays(f"{index}/", track.whole)
        arrays |= {f"{index}/{name}": getattr(track, name) for name in ("amounts", "gaze")}
    arrays |= {
        f"{index}/{name}": getattr(track, name)
        for name in _TRACK_ARRAYS
        for index, track in enumerate(result.tracks)
    }
    for index, track in enumerate(result.tracks):
        arrays |= image_arrays(f"{index}/", track.whole)
    return encode(envelope, arrays)


def decode_video(body: bytes) -> VideoResult:
    """Read the body of a finished video job's result.

    Raises
    ------
    ContractError
        Wrong kind, protocol, field, array or shape; times that fall; a row that is neither whole
        nor a gap.
    """
    envelope, arrays = decode(body)
    expect_kind(envelope, "video")
    times = finite_array(arrays, "times", "<f8", (None,))
    if (np.diff(times) < 0).any():
        raise ContractError("The times of the frames fall.")
    with reading_envelope():
        (frame_rate,) = floats([envelope["frame_rate"]], 1)
        return VideoResult(
            tracks=tuple(
                _track(arrays, index, entry, len(times))
                for index, entry in enumerate(entries(envelope, "tracks"))
            ),
            times=times,
            frames=array(arrays, "frames", "<i8", times.shape),
            image_size=image_size(envelope),
            frame_rate=frame_rate,
        )


def _track(arrays: dict[str, NDArray[Any]], index: int, entry: Any, n_frames: int) -> VideoTrack:
    number = entry["number"]
    if type(number) is not int or number < 0:
        raise ContractError(f"A track cannot have the number {number!r}.")
    confidence = finite_array(arrays, f"{index}/confidence", "<f4", (n_frames,))
    if ((confidence < 0) | (confidence > 1)).any():
        raise ContractError("A confidence lies outside 0 to 1.")
    rows = {
        name: _rows(arrays, f"{index}/{name}", (n_frames, *row), confidence > 0)
        for name, row in _ROWS.items()
    }
    neutral = finite_array(arrays, f"{index}/neutral", "<f4", (None, 3))
    whole = read_head(entry["whole"], arrays, f"{index}/", len(neutral))
    present = confidence > 0
    keys = count_keys(whole) if whole else N_KEYS
    known = whole or _has_rows(arrays, f"{index}/amounts")
    shape = (n_frames, keys) if known else (0, 0)
    angles = (n_frames, N_ANGLES) if _has_rows(arrays, f"{index}/gaze") else (0, 0)
    return VideoTrack(
        number=number,
        neutral=neutral,
        confidence=confidence,
        texture_png=array(arrays, f"{index}/texture_png", "|u1", (None,)),
        whole=whole,
        amounts=_rows(arrays, f"{index}/amounts", shape, present[: shape[0]]),
        gaze=_rows(arrays, f"{index}/gaze", angles, present[: angles[0]]),
        **rows,
    )


def _has_rows(arrays: dict[str, NDArray[Any]], name: str) -> bool:
    return bool(np.size(arrays.get(name, ())))


def _rows(
    arrays: dict[str, NDArray[Any]], name: str, shape: Shape, present: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """An array that is finite where the face is there, and NaN where it is not."""
    found = array(arrays, name, "<f4", shape)
    if not np.isfinite(found[present]).all() or not np.isnan(found[~present]).all():
        raise ContractError(f"Array {name!r} does not have its gaps where the confidence is 0.")
    return found
