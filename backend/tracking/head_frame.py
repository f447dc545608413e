"""MediaPipe's points of a face without the head's motion, in millimetres of the model frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.floating]

# Points that a face hardly moves: forehead, corners of the eyes, bridge and tip of the nose, and
# temples.
RIGID = (10, 151, 33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 127, 356)
OUTER_CORNERS = (33, 263)
ROUNDS = 3


def aligned(points: Array, target: Array) -> NDArray[np.float64]:
    """Turn, shift and scale faces so that what is rigid comes nearest to a target.

    Parameters
    ----------
    points
        (F, 478, 3), y up.
    target
        (478, 3); only its rigid points count.
    """
    points = np.asarray(points, np.float64)
    wanted = target[RIGID, :]
    rigid = points[:, RIGID]
    middle = rigid.mean(axis=1, keepdims=True)
    spread = rigid - middle
    u, stretch, vt = np.linalg.svd((wanted - wanted.mean(axis=0)).T @ spread)
    signs = np.ones_like(stretch)
    signs[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * signs[:, None]) @ vt
    scale = (stretch * signs).sum(axis=1) / np.maximum((spread**2).sum(axis=(1, 2)), 1e-12)
    turned = (points - middle) @ rotation.swapaxes(1, 2) * scale[:, None, None]
    return turned + wanted.mean(axis=0)


def together(points: Array) -> NDArray[np.float64]:
    """(F, 478, 3) faces aligned with one another."""
    mean = np.asarray(points[len(points) // 2], np.float64)
    still = aligned(points, mean)
    for _ in range(1, ROUNDS):
        mean = still.mean(axis=0)
        still = aligned(points, mean)
    return still


def onto_model(face: Array, neutral: Array) -> NDArray[np.float64]:
    """(478, 3) a face turned as the model's head is, the outer corners of its eyes as far apart.

    Parameters
    ----------
    neutral
        (478, 3) the points on the person's neutral head, model frame.
    """
    here, there = (np.asarray(points, np.float64)[RIGID, :] for points in (face, neutral))
    turn = Rotation.align_vectors(there - there.mean(axis=0), here - here.mean(axis=0))[0]
    scale = _width(neutral) / max(_width(face), 1e-12)
    return scale * turn.apply(face - here.mean(axis=0)) + there.mean(axis=0)


def _width(face: Array) -> float:
    one, other = OUTER_CORNERS
    return float(np.linalg.norm(face[one] - face[other]))
