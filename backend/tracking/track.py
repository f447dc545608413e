"""What tracking a clip results in: raw values, one row for every frame, gaps included."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backend.geometry.pose import Pose
from backend.vision.clip import ClipInfo

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Track:
    """One face through a clip, one row for every frame: F rows.

    Values are as measured, not smoothed (`smoothing` is a separate step). In a gap, a frame
    without this face, `confidence` is 0 and every other row is NaN.

    Attributes
    ----------
    number
        From 0, left to right in the frame in which a face first appears, earlier ones first.
    alpha_shape
        (40,) float32, one identity for the whole clip, as in the 62 parameters: not whitened.
    parameters
        (F, 62) float32 in the crop frame of `roi_boxes`; the shape part is `alpha_shape`.
    roi_boxes
        (F, 4) float32: x0, y0, x1, y1 of the upright square, image pixels.
    rotation
        (F, 3, 3) float32, of the model frame, y up.
    scale
        (F,) float32, image pixels per millimetre.
    translation
        (F, 3) float32, the model's origin in the image frame.
    expression
        (F, 10) float32, standard deviations.
    landmarks
        (F, 68, 3) float32 in the image frame: the refined landmarks.
    confidence
        (F,) float32 in [0, 1]; 0 is a gap.
    keys
        (F, 52) float32 from 0 to 1, in the order of `exchange.expressions.EXPRESSION_NAMES`; (F, 0)
        if the 52 expressions are not on this computer.
    gaze
        (F, 4) float32, degrees against the head: of the person's right eye to the person's left
        and up, then of the left eye; (F, 0) without keys.
    texture
        (S, S, 3) uint8 RGB, row 0 at v = 1, merged from several frames; None if none was made.
    """

    number: int
    alpha_shape: Float
    parameters: Float
    roi_boxes: Float
    rotation: Float
    scale: Float
    translation: Float
    expression: Float
    landmarks: Float
    confidence: Float
    keys: Float = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    gaze: Float = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    texture: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        for name in ("keys", "gaze"):
            if not np.size(getattr(self, name)):
                object.__setattr__(self, name, np.zeros((len(self.confidence), 0), np.float32))

    @property
    def present(self) -> NDArray[np.bool_]:
        """(F,) whether the face is there."""
        return self.confidence > 0

    def pose(self, row: int) -> Pose:
        """Pose in one frame, in the image frame."""
        return Pose(self.rotation[row], float(self.scale[row]), self.translation[row])


@dataclass(frozen=True)
class TrackedClip:
    """A clip with the faces in it.

    Attributes
    ----------
    info
        The clip.
    times
        (F,) float64, seconds since the clip's first frame, by presentation timestamps. With an
        in point the first is about that, not 0.
    frames
        (F,) int64, numbers of the frames in the order of showing, from 0 at the clip's first.
    tracks
        By number.
    skipped
        Frames that could not be decoded; they have no row.
    left_out
        People who have no track, because there are too many: those who are seen least.
    """

    info: ClipInfo
    times: NDArray[np.float64]
    frames: NDArray[np.int64]
    tracks: tuple[Track, ...]
    skipped: int = 0
    left_out: int = 0
