"""Pictures as they are to be seen: upright, not mirrored, with square pixels, in one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Size = tuple[int, int]


@dataclass(frozen=True)
class Turn:
    """How a stored picture is turned and mirrored to be shown.

    Attributes
    ----------
    transposed
        Rows become columns, before anything is mirrored.
    mirrored_x, mirrored_y
        Left and right, top and bottom change places.
    """

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @classmethod
    def of_matrix(cls, matrix: Sequence[float]) -> Turn:
        """Turn that is nearest to a display matrix.

        Parameters
        ----------
        matrix
            a, b, c, d: a stored pixel (x, y) is shown at (ax + cy, bx + dy), y downwards.
        """
        a, b, c, d = matrix
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    @classmethod
    def of_degrees(cls, degrees: float) -> Turn:
        """Turn by the nearest quarter: degrees anticlockwise."""
        radians = np.radians(90 * round(degrees / 90))
        cosine, sine = float(np.cos(radians)), float(np.sin(radians))
        return cls.of_matrix((cosine, -sine, sine, cosine))

    def size(self, size: Size) -> Size:
        """Return the width and height of a stored picture as they are shown, or the other way
        round.
        """
        return (size[1], size[0]) if self.transposed else size

    def shown(self, image: Image) -> Image:
        """Return (H, W, 3) stored picture as it is shown."""
        if self.transposed:
            image = np.asarray(cv2.transpose(image), np.uint8)
        if self.mirrored_x and self.mirrored_y:
            return np.asarray(cv2.flip(image, -1), np.uint8)
        if self.mirrored_x or self.mirrored_y:
            return np.asarray(cv2.flip(image, 1 if self.mirrored_x else 0), np.uint8)
        return image


UPRIGHT = Turn()


def largest_within(size: Size, room: Size) -> Size:
    """Return the width and height that a picture of a size has when it just fits into another
    size.
    """
    # A pixel of rounding is no other shape.
    scale = min(room[0] / size[0], room[1] / size[1])
    fitted = [max(1, round(side * scale)) for side in size]
    close = [abs(a - b) <= 1 for a, b in zip(fitted, room, strict=True)]
    return room if all(close) else (fitted[0], fitted[1])


def letterboxed(image: Image, room: Size) -> Image:
    """Return a picture that fits into a size in the middle of black, (room height, room width,
    3).
    """
    if image.shape[1::-1] == room:
        return image
    height, width = image.shape[:2]
    left, top = (room[0] - width) // 2, (room[1] - height) // 2
    framed = np.zeros((room[1], room[0], 3), np.uint8)
    framed[top : top + height, left : left + width] = image
    return framed
