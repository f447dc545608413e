"""Faces in one frame of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .container import ContractError, decode, encode
from .fields import array, expect_kind, finite_array, floats, image_size, reading_envelope
from .performance import NO_AMOUNTS, keys_and_gaze
from .protocol import N_EXPRESSIONS, N_LANDMARKS, N_PARAMETERS, PROTOCOL


@dataclass(frozen=True)
class FrameResult:
    """The N faces of one frame, by number; N may be 0.

    Attributes
    ----------
    time
        Seconds, as the frame was posted.
    image_size
        Width and height of the frame.
    numbers
        (N,) int32: a face keeps its number from frame to frame.
    parameters
        (N, 62) float32, not whitened, in the crop frame of `roi_boxes`; never smoothed.
    roi_boxes
        (N, 4) float32: x0, y0, x1, y1 of the square crop in image pixels.
    quaternions
        (N, 4) float32 (w, x, y, z): the head's rotation in Blender's frame.
    scale
        (N,) float32, image pixels per millimetre.
    translation
        (N, 3) float32, image position of the model's origin (x right, y down, z to the viewer).
    expression
        (N, 10) float32, standard deviations.
    landmarks
        (N, 68, 3) float32, image pixels, never smoothed.
    confidence
        (N,) float32 in (0, 1].
    amounts
        (N, 52) float32 in [0, 1], how much of each of `EXPRESSION_NAMES`; (N, 0) if the backend
        does not know them.
    gaze
        (N, 4) float32, degrees against the head: of the person's right eye to the person's left
        and up, then of the left eye; (N, 0) without `amounts`.
    """

    time: float
    image_size: tuple[int, int]
    numbers: NDArray[np.int32]
    parameters: NDArray[np.float32]
    roi_boxes: NDArray[np.float32]
    quaternions: NDArray[np.float32]
    scale: NDArray[np.float32]
    translation: NDArray[np.float32]
    expression: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    confidence: NDArray[np.float32]
    amounts: NDArray[np.float32] = field(default_factory=NO_AMOUNTS.copy)
    gaze: NDArray[np.float32] = field(default_factory=NO_AMOUNTS.copy)

    def __post_init__(self) -> None:
        for name in ("amounts", "gaze"):
            if not np.size(getattr(self, name)):
                object.__setattr__(self, name, np.zeros((len(self.numbers), 0), np.float32))


_ROWS: dict[str, tuple[int, ...]] = {
    "parameters": (N_PARAMETERS,),
    "roi_boxes": (4,),
    "quaternions": (4,),
    "scale": (),
    "translation": (3,),
    "expression": (N_EXPRESSIONS,),
    "landmarks": (N_LANDMARKS, 3),
    "confidence": (),
}


_ARRAYS = ("numbers", *_ROWS, "amounts", "gaze")


def encode_frame(result: FrameResult) -> bytes:
    """Answer to a frame that was posted to a stream."""
    envelope = {
        "kind": "frame",
        "protocol": PROTOCOL,
        "time": result.time,
        "image_size": list(result.image_size),
    }
    return encode(envelope, {name: getattr(result, name) for name in _ARRAYS})


def decode_frame(body: bytes) -> FrameResult:
    """Read the answer to a frame.

    Raises
    ------
    ContractError
        Wrong kind, protocol, field, array or shape.
    """
    envelope, arrays = decode(body)
    expect_kind(envelope, "frame")
    numbers = array(arrays, "numbers", "<i4", (None,))
    rows = {
        name: finite_array(arrays, name, "<f4", (len(numbers), *row)) for name, row in _ROWS.items()
    }
    known = keys_and_gaze(arrays, "", len(numbers))
    if len(set(numbers.tolist())) != len(numbers):
        raise ContractError("Two faces have the same number.")
    with reading_envelope():
        (time,) = floats([envelope["time"]], 1)
        return FrameResult(
            time=time, image_size=image_size(envelope), numbers=numbers, **rows, **known
        )
