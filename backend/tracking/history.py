"""All sightings of a clip as arrays, and who is seen in them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.boxes import RoiBoxes
from backend.tracking.sighting import SQUARES, Sighting
from backend.vision.landmarker import N_POINTS

Float = NDArray[np.float32]
Int = NDArray[np.int64]


# MediaPipe's points as whole numbers: so many steps to a box's side, half the memory of float32 and
# finer than MediaPipe itself.
STEPS = 2**14
UNREAD = np.iinfo(np.int16).min


@dataclass(frozen=True)
class History:
    """N sightings, in the order of time.

    Attributes
    ----------
    row
        (N,) int64, row of the frame among the clip's frames.
    face
        (N,) int64, number by which the tracker followed the face; see `tracker.Followed`.
    box
        (N, 4) float32: x, y, side, roll of the roi box, as in `RoiBoxes`.
    parameters
        (N, 62) float32 in the crop frame of the upright box.
    landmarks
        (N, 68, 3) float32, image frame.
    confidence, sharpness
        (N,) float32.
    colors
        (N, 192) uint8.
    coded
        (N, 478, 3) int16, MediaPipe's points in the box, see `points`; (N, 0, 3) where nobody
        looked for them.
    """

    row: Int
    face: Int
    box: Float
    parameters: Float
    landmarks: Float
    confidence: Float
    sharpness: Float
    colors: NDArray[np.uint8]
    coded: NDArray[np.int16]

    @property
    def read(self) -> NDArray[np.bool_]:
        """(N,) whether MediaPipe could read the face."""
        if not self.coded.shape[1]:
            return np.zeros(len(self), bool)
        return self.coded[:, 0, 0] != UNREAD

    @property
    def points(self) -> Float:
        """(N, 478, 3) MediaPipe's points, image frame; NaN where they could not be read."""
        if not self.coded.shape[1]:
            return np.full((len(self), N_POINTS, 3), np.nan, np.float32)
        steps = np.where(self.coded == UNREAD, np.float32(np.nan), self.coded.astype(np.float32))
        places = (steps / np.float32(STEPS) * self.box[:, None, 2:3]).astype(np.float32)
        places[..., :2] += self.box[:, None, :2]
        return places.astype(np.float32)

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> History:
        return History(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def boxes(self) -> RoiBoxes:
        """The boxes of all sightings, turned upright: those to which `parameters` refer."""
        return RoiBoxes(self.box).upright

    @classmethod
    def of(
        cls, sightings: list[tuple[int, int, Sighting]], points: list[Float] | None = None
    ) -> History:
        """From frames' rows, faces' numbers and what was seen.

        Parameters
        ----------
        points
            (478, 3) MediaPipe's points of each sighting, image frame, NaN where it has none; None
            where nobody looked for them.
        """
        seen = [s for _, _, s in sightings]
        box = RoiBoxes.of([s.roi_box for s in seen]).rows.astype(np.float32)
        return cls(
            np.array([row for row, _, _ in sightings], np.int64),
            np.array([face for _, face, _ in sightings], np.int64),
            box,
            np.array([s.upright for s in seen], np.float32).reshape(-1, 62),
            np.array([s.landmarks for s in seen], np.float32).reshape(-1, 68, 3),
            np.array([s.confidence for s in seen], np.float32),
            np.array([s.sharpness for s in seen], np.float32),
            np.array([s.colors for s in seen], np.uint8).reshape(-1, 3 * SQUARES**2),
            _coded(points, box),
        )

    @classmethod
    def joined(cls, parts: list[History]) -> History:
        """One after the other."""
        if not parts:
            return cls.of([])
        # A part without sightings has no columns for the colours and points either.
        filled = [part for part in parts if len(part)] or parts[:1]
        return cls(
            *(np.concatenate([getattr(p, field.name) for p in filled]) for field in fields(cls))
        )


def _coded(points: list[Float] | None, box: Float) -> NDArray[np.int16]:
    """(N, P, 3) see `History.coded`."""
    if points is None:
        return np.zeros((len(box), 0, 3), np.int16)
    middle = box[:, None, :3] * np.array([1, 1, 0], np.float32)
    places = np.array(points, np.float32).reshape(-1, N_POINTS, 3)
    steps = np.round((places - middle) / box[:, None, 2:3] * STEPS)
    # MediaPipe guesses what lies outside of the picture, anywhere.
    last = -(UNREAD + 1)
    return np.where(np.isnan(steps), UNREAD, np.clip(steps, -last, last)).astype(np.int16)
