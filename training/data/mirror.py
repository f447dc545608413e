"""The mirror image of a face: landmark order and 3DMM coefficients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import MorphableModel

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


def mirror_coefficients(
    model: MorphableModel, stride: int = 7
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Affine map that takes a face's coefficients to those of its mirror image.

    Least squares over every `stride`-th vertex: ``alpha' = matrix @ alpha + offset``.

    Returns
    -------
    matrix (50, 50) and offset (50,), float32, for shape and expression side by side.
    """
    sigma = np.concatenate([model.shape_sigma, model.expression_sigma]).astype(np.float64)
    here = np.arange(0, len(model.mean), stride)
    there = model.mirror_indices[here]

    def basis(at: NDArray[np.integer]) -> NDArray[np.float64]:
        both = np.concatenate([model.shape_basis[at], model.expression_basis[at]], axis=2)
        return both.astype(np.float64) * sigma

    design = basis(here).reshape(-1, len(sigma))
    mirrored = (MIRROR[:, None] * basis(there)).reshape(design.shape)
    shift = (MIRROR * model.mean[there] - model.mean[here]).reshape(-1, 1)
    solution = np.linalg.lstsq(design, np.hstack([mirrored, shift]), rcond=None)[0]
    matrix = sigma[:, None] * solution[:, :-1] / sigma
    return matrix.astype(np.float32), (sigma * solution[:, -1]).astype(np.float32)
