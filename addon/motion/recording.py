"""What is kept of a tracked face: the raw motion, and how keys were made of it.

A recording travels with the action that was made of it, so that the keys can be made anew with
other smoothing, without the clip and without a backend. No ``bpy`` here.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exchange.contract import (
    MAX_PAYLOAD_BYTES,
    N_EXPRESSIONS,
    N_PARAMETERS,
    ContractError,
    VideoResult,
    VideoTrack,
    decode,
    encode,
)
from ..exchange.contract.fields import array, finite_array, image_size
from ..exchange.expressions import EXPRESSION_NAMES, EXPRESSIONS
from ..exchange.smoothing import Motion, Strengths
from ..problems import Problem
from .amounts import in_order

# 1 had no named keys.
VERSION = 2
# Enough of the 53,215 vertices to say where a head is.
N_POINTS = 128

NO_KEYS = np.zeros((0, 0), np.float32)

# Arrays with a row for every frame: dtype, shape of a row, and whether gaps may hold NaN.
_MOTION: dict[str, tuple[str, tuple[int, ...], bool]] = {
    "times": ("<f8", (), False),
    "confidence": ("<f4", (), False),
    "quaternions": ("<f4", (4,), True),
    "scale": ("<f4", (), True),
    "translation": ("<f4", (3,), True),
    "expression": ("<f4", (N_EXPRESSIONS,), True),
}
_OTHERS: dict[str, tuple[str, tuple[int, ...], bool]] = {
    "frames": ("<i8", (), True),
    "parameters": ("<f4", (N_PARAMETERS,), True),
    "roi_boxes": ("<f4", (4,), True),
}


@dataclass(frozen=True)
class Gains:
    """What named keys are multiplied by: of lids, gaze, mouth with cheeks, and brows."""

    lids: float = 1.0
    gaze: float = 1.0
    mouth: float = 1.0
    brows: float = 1.0

    def of_keys(self) -> NDArray[np.float64]:
        """(52,) in the order of `EXPRESSION_NAMES`."""
        groups = vars(self) | {"cheeks": self.mouth}
        return np.array([groups[key.group] for key in EXPRESSIONS])


@dataclass(frozen=True)
class Style:
    """How keys are made of a recording; all of it can be changed afterwards.

    Attributes
    ----------
    strengths
        How much to smooth rotation, position and expression.
    gain
        The expression is multiplied by this.
    focal_length
        Millimetres, of a lens in front of a sensor whose longer side is 36 mm; it turns the size
        of the face in the picture into a distance.
    matched
        Whether the head is to be seen through a camera with that lens as the clip shows it.
    start
        Frame of the scene at which `first_second` of the clip lies.
    first_second
        In point: seconds since the clip's first frame.
    gains
        Named keys are multiplied by these, too.
    neutral
        Seconds since the clip's first frame at which the face rests: its keys are 0 there, and the
        others are counted from them. None takes the keys as they were measured.
    """

    strengths: Strengths = field(default_factory=Strengths)
    gain: float = 1.0
    focal_length: float = 50.0
    matched: bool = False
    start: float = 1.0
    first_second: float = 0.0
    gains: Gains = field(default_factory=Gains)
    neutral: float | None = None


@dataclass(frozen=True)
class Recording:
    """One face of a clip as it was measured, F frames; nothing is smoothed.

    Attributes
    ----------
    motion
        Times, confidence, pose and expression; the quaternions are in Blender's frame, for a
        camera that looks along +Y. Without named keys if the backend said none.
    frames
        (F,) int64 numbers of the clip's frames.
    parameters
        (F, 62) float32, the network's, in the crop frame of `roi_boxes`.
    roi_boxes
        (F, 4) float32: x0, y0, x1, y1 in image pixels.
    points
        (P, 3) float32, some vertices of the head of the person in the clip: metres, Blender's
        frame.
    image_size
        Width and height of the picture.
    frame_rate
        Average frames a second of the clip.
    """

    motion: Motion
    frames: NDArray[np.int64]
    parameters: NDArray[np.float32]
    roi_boxes: NDArray[np.float32]
    points: NDArray[np.float32]
    image_size: tuple[int, int]
    frame_rate: float


def record(result: VideoResult, track: VideoTrack) -> Recording:
    """Return recording of one track of a clip."""
    motion = Motion(
        result.times,
        track.confidence,
        track.quaternions,
        track.scale,
        track.translation,
        track.expression,
        _keys_of(track),
    )
    some = np.linspace(0, len(track.neutral) - 1, N_POINTS).astype(int)
    return Recording(
        motion,
        result.frames,
        track.parameters,
        track.roi_boxes,
        track.neutral[some],
        result.image_size,
        result.frame_rate,
    )


def _keys_of(track: VideoTrack) -> NDArray[np.float32]:
    if not track.amounts.size:
        return NO_KEYS
    names = EXPRESSION_NAMES if track.whole is None else track.whole.keys.names
    return in_order(names, track.amounts)


def pack(recording: Recording) -> bytes:
    """Return recording as compressed bytes."""
    envelope: dict[str, Any] = {
        "version": VERSION,
        "image_size": list(recording.image_size),
        "frame_rate": recording.frame_rate,
    }
    arrays = {name: np.asarray(getattr(recording.motion, name)) for name in _MOTION}
    arrays |= {name: getattr(recording, name) for name in (*_OTHERS, "points")}
    if recording.motion.keys.size:
        arrays["amounts"] = np.asarray(recording.motion.keys, np.float32)
        envelope["names"] = list(EXPRESSION_NAMES)
    return zlib.compress(encode(envelope, arrays))


def unpack(data: bytes) -> Recording:
    """Inverse of `pack`.

    Raises
    ------
    Problem
        The bytes are damaged, or of another version of the add-on.
    """
    with _explained():
        envelope, arrays = decode(_decompress(data))
        if envelope["version"] not in range(1, VERSION + 1):
            raise Problem(
                "The recording of this action was made by another version of the add-on.",
                "Update the add-on, or run Animate from Video again.",
            )
        return _recording(envelope, arrays)


def pack_style(style: Style) -> str:
    """Style as JSON."""
    return json.dumps(asdict(style))


def unpack_style(text: str) -> Style:
    """Inverse of `pack_style`.

    Raises
    ------
    Problem
        The text is damaged.
    """
    with _explained():
        fields = json.loads(text)
        strengths, gains = Strengths(**fields.pop("strengths")), Gains(**fields.pop("gains", {}))
        return Style(strengths, gains=gains, **fields)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (zlib.error, ContractError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise Problem(
            "The recording of this action is damaged.", "Run Animate from Video again."
        ) from error


def _decompress(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(data, MAX_PAYLOAD_BYTES)
    if not stream.eof:
        raise ValueError("the data end early, or are too long")
    return content


def _recording(envelope: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Recording:
    n_frames = len(finite_array(arrays, "times", "<f8", (None,)))

    def rows(table: dict[str, tuple[str, tuple[int, ...], bool]]) -> dict[str, NDArray[Any]]:
        return {
            name: (array if gaps else finite_array)(arrays, name, dtype, (n_frames, *row))
            for name, (dtype, row, gaps) in table.items()
        }

    return Recording(
        Motion(**rows(_MOTION), keys=_amounts(envelope, arrays, n_frames)),
        points=finite_array(arrays, "points", "<f4", (None, 3)),
        image_size=image_size(envelope),
        frame_rate=float(envelope["frame_rate"]),
        **rows(_OTHERS),
    )


def _amounts(
    envelope: dict[str, Any], arrays: dict[str, NDArray[Any]], n_frames: int
) -> NDArray[np.float32]:
    names = envelope.get("names")
    if names is None:
        return NO_KEYS
    return in_order(names, array(arrays, "amounts", "<f4", (n_frames, len(names))))
