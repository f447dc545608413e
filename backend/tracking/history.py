"""All sightings of a clip as arrays, and who is seen in them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.boxes import RoiBoxes
from backend.tracking.sighting import SQUARES, Sighting

Float = NDArray[np.float32]
Int = NDArray[np.int64]


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
    """

    row: Int
    face: Int
    box: Float
    parameters: Float
    landmarks: Float
    confidence: Float
    sharpness: Float
    colors: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> History:
        return History(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def boxes(self) -> RoiBoxes:
        """The boxes of all sightings, turned upright: those to which `parameters` refer."""
        return RoiBoxes(self.box).upright

    @classmethod
    def of(cls, sightings: list[tuple[int, int, Sighting]]) -> History:
        """From frames' rows, faces' numbers and what was seen."""
        seen = [s for _, _, s in sightings]
        return cls(
            np.array([row for row, _, _ in sightings], np.int64),
            np.array([face for _, face, _ in sightings], np.int64),
            RoiBoxes.of([s.roi_box for s in seen]).rows.astype(np.float32),
            np.array([s.upright for s in seen], np.float32).reshape(-1, 62),
            np.array([s.landmarks for s in seen], np.float32).reshape(-1, 68, 3),
            np.array([s.confidence for s in seen], np.float32),
            np.array([s.sharpness for s in seen], np.float32),
            np.array([s.colors for s in seen], np.uint8).reshape(-1, 3 * SQUARES**2),
        )

    @classmethod
    def joined(cls, parts: list[History]) -> History:
        """One after the other."""
        if not parts:
            return cls.of([])
        # A part without sightings has no columns for the colours either.
        filled = [part for part in parts if len(part)] or parts[:1]
        return cls(
            *(np.concatenate([getattr(p, field.name) for p in filled]) for field in fields(cls))
        )
