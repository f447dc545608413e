"""The 62 numbers that describe a face in a crop: pose, shape and expression.

Convention
----------
``P = numbers[:12]`` is a 3x4 matrix, row by row; ``alpha_shape = numbers[12:52]`` and
``alpha_exp = numbers[52:]`` are coefficients, not whitened. A vertex lies in the crop frame (see
`backend.morphable_model.boxes`: 120x120 pixels from 1, y up) at
``P[:, :3] @ (mean + basis @ alpha) + P[:, 3]``, where mean and basis are **micrometres**.
Everything else of ours is millimetres. The matrix is nearly, but not quite, a rotation times a
scale: as it is it lies closest to the picture; `FaceParameters.pose` is the nearest pose. The depth
of the origin says nothing: no picture shows it.

A similarity of the crop acts on the matrix alone, and exactly. A mirrored face is not in the span
of the bases, so its coefficients are the most probable ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE, Pose, nearest_rotation
from backend.morphable_model.boxes import CROP_SIZE, RoiBox, RoiBoxes
from backend.morphable_model.mirror_image import MIRROR, REVERSED, MirrorImage
from backend.morphable_model.model import N_POSE, N_SHAPE, MorphableModel

if TYPE_CHECKING:
    from torch import Tensor

Float = NDArray[np.floating]
Numbers = TypeVar("Numbers", NDArray[np.floating], NDArray[np.float32], "Tensor")

SHAPE = slice(N_POSE, N_POSE + N_SHAPE)
EXPRESSION = slice(N_POSE + N_SHAPE, None)


def split(numbers: Numbers) -> tuple[Numbers, Numbers]:
    """Split (..., 62) numbers, an array or a tensor, into matrices and coefficients.

    Returns
    -------
    (..., 3, 4) and (..., 50), both views.
    """
    # An exported graph of a batch would measure its length where it may be left open.
    faces = (-1,) if numbers.ndim == 2 else numbers.shape[:-1]
    return numbers[..., :N_POSE].reshape(*faces, 3, 4), numbers[..., N_POSE:]


def joined(matrix: Float, alpha: Float) -> Float:
    """Join (..., 3, 4) matrices and (..., 50) coefficients to (..., 62) numbers."""
    return np.concatenate([matrix.reshape(*matrix.shape[:-2], N_POSE), alpha], axis=-1)


@dataclass(frozen=True)
class FaceParameters:
    """Faces of any number, see the convention above. Boxes have the same first axes as the faces.

    Attributes
    ----------
    numbers
        (..., 62).

    Examples
    --------
    A face that looks straight ahead, 0.5 pixels a millimetre, in the middle of its crop:

    >>> from backend.geometry.pose import Pose
    >>> pose = Pose(np.eye(3), 0.5, np.array([61.0, 60.0, 0.0]))
    >>> face = FaceParameters.of(pose, np.zeros(50))
    >>> float(face.pose.scale.round(6)), face.alpha_shape.shape, face.alpha_exp.shape
    (0.5, (40,), (10,))

    In a picture where its box is twice as large as the crop, 10 mm to the subject's left of the
    model's origin are 10 pixels to the right of the box's middle, and up is less:

    >>> box = RoiBox(300.0, 200.0, 240.0)
    >>> face.to_image(np.array([[10.0, 0.0, 0.0], [0.0, 10.0, 0.0]]), box).round(3).tolist()
    [[310.0, 200.0, 0.0], [300.0, 190.0, 0.0]]
    """

    numbers: Float

    @classmethod
    def of(cls, pose: Pose, alpha: Float) -> FaceParameters:
        """Describe posed heads in the crop frame with (..., 50) coefficients; float32."""
        linear = pose.linear / MICROMETRES_PER_MILLIMETRE
        matrix = np.concatenate([linear, pose.translation[..., None]], axis=-1)
        return cls(joined(matrix, alpha).astype(np.float32))

    @classmethod
    def of_image(cls, pose: Pose, alpha: Float, boxes: RoiBoxes | RoiBox) -> FaceParameters:
        """Describe heads that are posed in the image frame; the boxes are upright.

        >>> box = RoiBox(300.0, 200.0, 240.0)
        >>> pose = Pose(np.eye(3), 1.0, np.array([300.0, 200.0, 0.0]))
        >>> FaceParameters.of_image(pose, np.zeros(50), box).pose_in_image(box).translation.tolist()
        [300.0, 200.0, 0.0]
        """
        boxes = _batched(boxes)
        translation = boxes.to_crop(pose.translation[..., None, :])[..., 0, :]
        scale = pose.scale * CROP_SIZE / boxes.side
        return cls.of(Pose(pose.rotation, scale, translation), alpha)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def matrix(self) -> Float:
        """(..., 3, 4), a view, on micrometres."""
        return split(self.numbers)[0]

    @property
    def alpha(self) -> Float:
        """(..., 50) coefficients of shape, then expression; a view."""
        return split(self.numbers)[1]

    @property
    def alpha_shape(self) -> Float:
        """(..., 40), a view."""
        return self.numbers[..., SHAPE]

    @property
    def alpha_exp(self) -> Float:
        """(..., 10), a view."""
        return self.numbers[..., EXPRESSION]

    @property
    def pose(self) -> Pose:
        """The nearest poses in the crop frame, float64."""
        matrix = self.matrix.astype(np.float64)
        rotation, scale = nearest_rotation(matrix[..., :2, :3])
        return Pose(rotation, scale * MICROMETRES_PER_MILLIMETRE, matrix[..., 3])

    def pose_in_image(self, boxes: RoiBoxes | RoiBox) -> Pose:
        """The nearest poses in the image frame: y up, but the translation in its pixels, y down."""
        boxes, pose = _batched(boxes).upright, self.pose
        origin = boxes.to_image(pose.translation[..., None, :])[..., 0, :]
        return Pose(pose.rotation, pose.scale * boxes.side / CROP_SIZE, origin)

    def vertices(self, model: MorphableModel) -> NDArray[np.float32]:
        """(V, 3) float32 head of one face in millimetres, without pose."""
        return model.vertices(
            np.asarray(self.alpha_shape, np.float32), np.asarray(self.alpha_exp, np.float32)
        )

    def landmarks(self, model: MorphableModel) -> Float:
        """(..., 68, 3) landmarks of the mesh in the crop frame, as precise as the numbers."""
        alpha = self.alpha
        basis = model.landmark_basis.reshape(-1, alpha.shape[-1])
        head = model.landmark_mean + (alpha @ basis.T).reshape(*alpha.shape[:-1], -1, 3)
        return self.to_crop(head.astype(self.numbers.dtype))

    def to_crop(self, points: Float) -> Float:
        """Pose (..., P, 3) millimetres in the crop frame, by the matrices as they are."""
        matrix = self.matrix
        scaled = matrix[..., :3] * matrix.dtype.type(MICROMETRES_PER_MILLIMETRE)
        return points @ scaled.swapaxes(-1, -2) + matrix[..., None, :, 3]

    def to_image(self, points: Float, boxes: RoiBoxes | RoiBox) -> Float:
        """Pose (..., P, 3) millimetres in the image frame, by the matrices as they are."""
        return _batched(boxes).to_image(self.to_crop(points))

    def vertices_image(
        self, model: MorphableModel, boxes: RoiBoxes | RoiBox
    ) -> NDArray[np.float32]:
        """(V, 3) float32 where the head of one face lies in the picture."""
        return np.asarray(self.to_image(self.vertices(model), boxes), np.float32)

    def upright(self, boxes: RoiBoxes | RoiBox) -> FaceParameters:
        """The same faces in the crops of the same boxes, not turned."""
        boxes, matrix = _batched(boxes), self.matrix
        turn = np.zeros((*boxes.side.shape, 3, 3))
        turn[..., :2, :2] = boxes.turn
        turn[..., 2, 2] = 1
        # The middle of the crop in its frame.
        centre = np.array([CROP_SIZE / 2 + 1, CROP_SIZE / 2, 0])
        turned = turn @ matrix
        turned[..., 3] += centre - turn @ centre
        return self._with(turned)

    def in_box(self, boxes: RoiBoxes | RoiBox, others: RoiBoxes | RoiBox) -> FaceParameters:
        """The same faces, seen in upright boxes, in the crops of other upright boxes."""
        boxes, others = _batched(boxes), _batched(others)
        matrix = self.matrix * (boxes.side / others.side)[..., None, None]
        origin = boxes.to_image(self.matrix[..., None, :, 3].astype(np.float64))
        matrix[..., 3] = others.to_crop(origin)[..., 0, :]
        return self._with(matrix)

    def mirrored(self, mirror: MirrorImage) -> FaceParameters:
        """What a crop with reversed columns shows."""
        matrix = MIRROR[:, None] * self.matrix * np.array([*MIRROR, 1.0])
        matrix[..., 0, 3] += REVERSED
        alpha = self.alpha @ mirror.matrix.T + mirror.offset
        return FaceParameters(joined(matrix, alpha).astype(self.numbers.dtype))

    def _with(self, matrix: Float) -> FaceParameters:
        """The same coefficients with other matrices, as precise as before."""
        return FaceParameters(joined(matrix, self.alpha).astype(self.numbers.dtype))


def _batched(boxes: RoiBoxes | RoiBox) -> RoiBoxes:
    return boxes.alone if isinstance(boxes, RoiBox) else boxes
