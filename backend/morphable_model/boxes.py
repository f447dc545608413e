"""Roi boxes: the squares of a picture that the network sees, and the way there and back.

Convention
----------
Image frame
    Pixels, x right, y down, centre of the top-left pixel at (0, 0); z towards the viewer in the
    same scale.
Crop frame
    That of the 62 parameters (300W-LP): 120x120 pixels, counted from 1, x right, **y up**, z
    towards the viewer. Row ``r`` and column ``c`` of the crop's picture (from 0) are the point
    ``(c + 1, 120 - r)``.
Box
    ``x, y, side, roll``: the centre and the side in image pixels, and by how many degrees the
    square is turned, anticlockwise as seen. A crop shows a face upright that leans by so much to
    the image's left. Files and the wire hold upright boxes as corners ``x0, y0, x1, y1``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

CROP_SIZE = 120


@dataclass(frozen=True)
class RoiBoxes:
    """Boxes of any number, see the convention above.

    Attributes
    ----------
    rows
        (..., 4) x, y, side, roll.

    Examples
    --------
    The middle of the crop is the centre of the box, whatever its turn:

    >>> boxes = RoiBoxes(np.array([[200.0, 100.0, 60.0, 0.0], [80.0, 90.0, 120.0, 30.0]]))
    >>> boxes.to_image(np.array([[[61.0, 60.0, 10.0]], [[61.0, 60.0, 10.0]]])).tolist()
    [[[200.0, 100.0, 5.0]], [[80.0, 90.0, 10.0]]]
    """

    rows: Array

    @classmethod
    def of(cls, boxes: Sequence[RoiBox]) -> RoiBoxes:
        """Join single boxes."""
        rows = [(box.x, box.y, box.side, box.roll) for box in boxes]
        return cls(np.array(rows, np.float64).reshape(-1, 4))

    @classmethod
    def from_corners(cls, corners: Array) -> RoiBoxes:
        """Lay upright squares around the centres of (..., 4) boxes x0, y0, x1, y1.

        The side is the mean of the box's.
        """
        x0, y0, x1, y1 = np.moveaxis(np.asarray(corners, np.float64), -1, 0)
        middle = (x0 + x1) / 2, (y0 + y1) / 2
        return cls(np.stack([*middle, (x1 - x0 + y1 - y0) / 2, np.zeros_like(x0)], axis=-1))

    @classmethod
    def around(cls, points: Array) -> RoiBoxes:
        """Lay boxes by the training's convention around (..., P, 2 or 3) points.

        It is the upright square around the points, sqrt(2) times as large.

        >>> RoiBoxes.around(np.array([[10.0, 20.0], [30.0, 60.0]])).corners.round(2).tolist()
        [-8.28, 11.72, 48.28, 68.28]
        """
        low, high = points[..., :2].min(axis=-2), points[..., :2].max(axis=-2)
        side = (high - low).max(axis=-1) * np.sqrt(2)
        return cls(np.stack([*np.moveaxis((low + high) / 2, -1, 0), side, 0 * side], axis=-1))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> RoiBox:
        return RoiBox(*self.rows[index].tolist())

    def __iter__(self) -> Iterator[RoiBox]:
        return (RoiBox(*row) for row in self.rows.tolist())

    @property
    def centre(self) -> Array:
        """(..., 2) x, y."""
        return self.rows[..., :2]

    @property
    def side(self) -> Array:
        """(...,) image pixels."""
        return self.rows[..., 2]

    @property
    def upright(self) -> RoiBoxes:
        """The same squares, not turned."""
        rows = self.rows.copy()
        rows[..., 3] = 0
        return RoiBoxes(rows)

    @property
    def corners(self) -> Array:
        """(..., 4) x0, y0, x1, y1 of the squares before they are turned."""
        half = self.side[..., None] / 2
        return np.concatenate([self.centre - half, self.centre + half], axis=-1)

    @property
    def turn(self) -> Array:
        """(..., 2, 2) rotation by the roll: of points in a turned crop, y up, to those upright."""
        roll = np.radians(self.rows[..., 3])
        c, s = np.cos(roll), np.sin(roll)
        return np.stack([c, -s, s, c], axis=-1).reshape(*c.shape, 2, 2)

    @property
    def image_from_crop(self) -> Array:
        """(..., 2, 3) affine maps of the crop's pixels (0-based, y down) to image pixels.

        Pixel i of an upright crop lies at ``x0 + i * side / 120``, as in 3DDFA_V2.
        """
        step = self.side[..., None, None] / CROP_SIZE
        # The picture's y points down: what turns anticlockwise there is the inverse.
        linear = step * self.turn.swapaxes(-1, -2)
        origin = self.centre - linear @ np.full(2, CROP_SIZE / 2)
        return np.concatenate([linear, origin[..., None]], axis=-1)

    def to_image(self, points: Array) -> Array:
        """Carry (..., P, 3) points of the crop frames into the image frame.

        The first axes are those of the boxes; one box takes (P, 3).
        """
        affine = self.image_from_crop.astype(points.dtype)
        pixels = np.stack([points[..., 0] - 1, CROP_SIZE - points[..., 1]], axis=-1)
        z = points[..., 2:] * (self.side / CROP_SIZE).astype(points.dtype)[..., None, None]
        plane = pixels @ affine[..., :2].swapaxes(-1, -2) + affine[..., None, :, 2]
        return np.concatenate([plane, z], axis=-1)

    def to_crop(self, points: Array) -> Array:
        """Carry (..., P, 3) points of the image frame into the crop frames.

        >>> box = RoiBoxes(np.array([80.0, 90.0, 120.0, 30.0]))
        >>> np.allclose(box.to_image(box.to_crop(np.eye(3))), np.eye(3))
        True
        """
        affine = self.image_from_crop
        away = (points[..., :2] - affine[..., None, :, 2]).swapaxes(-1, -2)
        pixels = np.linalg.solve(affine[..., :2], away).swapaxes(-1, -2)
        z = points[..., 2] * CROP_SIZE / self.side[..., None]
        found = [pixels[..., 0] + 1, CROP_SIZE - pixels[..., 1], z]
        return np.stack(found, axis=-1).astype(points.dtype)


@dataclass(frozen=True)
class RoiBox:
    """One box, as the finding of faces speaks of it: `RoiBoxes` with a single row.

    Attributes
    ----------
    x, y
        Its centre in image pixels.
    side
        Its side in image pixels.
    roll
        Degrees by which the square is turned, anticlockwise as seen.
    """

    x: float
    y: float
    side: float
    roll: float = 0.0

    @classmethod
    def from_corners(cls, x0: float, y0: float, x1: float, y1: float) -> RoiBox:
        """Lay an upright square around the centre of a box; its side is the mean of the box's."""
        return cls((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0 + y1 - y0) / 2)

    @classmethod
    def around(cls, points: Array) -> RoiBox:
        """Lay the box by the training's convention around (P, 2 or 3) points."""
        return cls(*RoiBoxes.around(points).rows.tolist())

    @property
    def alone(self) -> RoiBoxes:
        """The box without further axes, for arrays of one face."""
        return RoiBoxes(np.array([self.x, self.y, self.side, self.roll]))

    @property
    def upright(self) -> RoiBox:
        """The same square, not turned."""
        return RoiBox(self.x, self.y, self.side)

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 of the square before it is turned."""
        half = self.side / 2
        return self.x - half, self.y - half, self.x + half, self.y + half

    @property
    def image_from_crop(self) -> Array:
        """(2, 3), see `RoiBoxes.image_from_crop`."""
        return self.alone.image_from_crop

    def to_image(self, points: Array) -> Array:
        """(P, 3), see `RoiBoxes.to_image`."""
        return self.alone.to_image(points)

    def to_crop(self, points: Array) -> Array:
        """(P, 3), see `RoiBoxes.to_crop`."""
        return self.alone.to_crop(points)
