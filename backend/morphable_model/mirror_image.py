"""The mirror image of a face: landmark order and 3DMM coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.boxes import CROP_SIZE
from backend.morphable_model.model import N_POSE, MorphableModel

# iBUG-68: jaw, brows, nose bridge, nostrils, eyes, outer lip, inner lip.
MIRRORED_LANDMARKS: NDArray[np.int64] = np.concatenate(
    [
        np.arange(17)[::-1],
        np.arange(17, 27)[::-1],
        np.arange(27, 31),
        np.arange(31, 36)[::-1],
        [45, 44, 43, 42, 47, 46],
        [39, 38, 37, 36, 41, 40],
        [54, 53, 52, 51, 50, 49, 48],
        [59, 58, 57, 56, 55],
        [64, 63, 62, 61, 60],
        [67, 66, 65],
    ]
)

MIRROR = np.array([-1.0, 1.0, 1.0])
# A crop whose columns are reversed shows at x what it showed at this less x (1-based pixels).
REVERSED = CROP_SIZE + 1


def mirrored_landmarks(landmarks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Carry (..., 68, 3) landmarks of a crop to those of the crop with reversed columns."""
    return landmarks[..., MIRRORED_LANDMARKS, :] * MIRROR + np.array([REVERSED, 0, 0])


@dataclass(frozen=True)
class MirrorImage:
    """Affine map to the coefficients of the mirror image: ``alpha' = matrix @ alpha + offset``.

    Attributes
    ----------
    matrix
        (50, 50) float32.
    offset
        (50,) float32.
    """

    matrix: NDArray[np.float32]
    offset: NDArray[np.float32]

    @classmethod
    def of(cls, model: MorphableModel) -> MirrorImage:
        """The map for faces that spread as those of the model's whitening."""
        mean, spread = model.parameter_mean[N_POSE:], model.parameter_std[N_POSE:]
        return mirror_coefficients(model, mean, spread)


def mirror_coefficients(
    model: MorphableModel,
    mean: NDArray[np.floating],
    spread: NDArray[np.floating],
    tolerance: float = 1.0,
    stride: int = 47,
) -> MirrorImage:
    """Find the map that takes a face's coefficients to those of its mirror image.

    A mirrored face is not in the span of the bases. The map gives the coefficients that are most
    probable: least squares over every `stride`-th vertex with a prior on the coefficients.

    Parameters
    ----------
    model
        The morphable model.
    mean, spread
        (50,) mean and standard deviation of the coefficients (shape, then expression).
    tolerance
        Standard deviation in millimetres of what the bases cannot express, per coordinate.
    stride
        Distance of the vertices that are compared; far enough for their residuals to be nearly
        independent.
    """
    here = np.arange(0, len(model.mean), stride)
    there = model.mirror_indices[here]
    sigma = spread.astype(np.float64)

    def basis(at: NDArray[np.integer]) -> NDArray[np.float64]:
        return np.moveaxis(model.basis[:, at], 0, -1).astype(np.float64)

    design = basis(here).reshape(-1, len(sigma)) * sigma
    mirrored = (MIRROR[:, None] * basis(there)).reshape(design.shape)
    shift = (MIRROR * model.mean[there] - model.mean[here]).reshape(-1)
    normal = design.T @ design / tolerance**2 + np.eye(len(sigma))
    project = sigma[:, None] * np.linalg.solve(normal, design.T / tolerance**2)
    matrix = project @ mirrored
    # The prior pulls to the mean coefficients, not to zero.
    offset = mean + project @ (shift - basis(here).reshape(design.shape) @ mean)
    return MirrorImage(matrix.astype(np.float32), offset.astype(np.float32))
