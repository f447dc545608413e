"""What goes in and comes out: pictures of one size, and where the faces in them are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.morphable_model.boxes import RoiBox

# Faces of any size are sampled at no more places a side, so that a batch has its bounds.
MOST_PLACES = 8


@dataclass(frozen=True)
class FrameBatch:
    """F pictures of one size with up to K faces in each.

    Attributes
    ----------
    pictures
        (F, H, W, 3) uint8 RGB.
    image_from_crop
        (F, K, 2, 3) float32, see `RoiBox.image_from_crop`; any for faces that are not there.
    present
        (F, K) bool, which faces are there.
    """

    pictures: NDArray[np.uint8]
    image_from_crop: NDArray[np.float32]
    present: NDArray[np.bool_]

    @classmethod
    def of(cls, pictures: NDArray[np.uint8], boxes: Sequence[Sequence[RoiBox]]) -> FrameBatch:
        """From the faces' regions, picture by picture.

        Raises
        ------
        BadInputError
            There are not as many lists of regions as pictures, or no region at all.
        """
        most = max(map(len, boxes), default=0)
        if len(boxes) != len(pictures) or not most:
            raise BadInputError(
                f"{len(pictures)} pictures have {len(boxes)} lists of {most} regions.",
                "Give a list for each picture, and at least one region in all.",
            )
        matrices = np.empty((len(pictures), most, 2, 3), np.float32)
        matrices[:] = np.eye(2, 3)
        present = np.zeros((len(pictures), most), bool)
        for row, regions in enumerate(boxes):
            for column, box in enumerate(regions):
                matrices[row, column] = box.image_from_crop
                present[row, column] = True
        return cls(pictures, matrices, present)

    @property
    def places(self) -> int:
        """At how many places a side each pixel of a crop is sampled: enough for the largest face.

        A power of two, so that batches of like faces are computed alike.
        """
        step = np.hypot(self.image_from_crop[..., 0, 0], self.image_from_crop[..., 1, 0])
        block = int(np.clip(np.round(step.max()), 1, MOST_PLACES))
        return 1 << (block - 1).bit_length()

    def filled(self, count: int) -> FrameBatch:
        """With `count` pictures: the last one is repeated, and shows nobody."""
        lacking = count - len(self.pictures)
        if not lacking:
            return self
        return FrameBatch(
            np.concatenate([self.pictures, np.repeat(self.pictures[-1:], lacking, axis=0)]),
            np.concatenate([self.image_from_crop, self.image_from_crop[-1:].repeat(lacking, 0)]),
            np.concatenate([self.present, np.zeros((lacking, self.present.shape[1]), bool)]),
        )


@dataclass(frozen=True)
class FoundFaces:
    """What the network says of the N faces of a batch, picture by picture.

    Attributes
    ----------
    picture
        (N,) which picture of the batch each is in.
    parameters
        (N, 62) float32, in the crop frame of its region (which may be turned).
    landmarks
        (N, 3, 68) float32, refined, image frame.
    vertices
        (N, 3, V) float32, image frame; None if only landmarks were asked for.
    """

    picture: NDArray[np.intp]
    parameters: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    vertices: NDArray[np.float32] | None
