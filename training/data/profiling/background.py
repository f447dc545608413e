"""Where the surroundings of a head go when it turns: anchors on rings around it.

Zhu et al. 2016 estimate a depth for anchors around the face and turn them with it, while the
picture's border stays. Here the rings are copies of the head's outline, each further out and
further back. A ring follows the turn of the head the less, the further out it lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Int = NDArray[np.int32]

DIRECTIONS = 72
# Of each ring: size relative to the outline, depth behind it in parts of the head's radius, and how
# much of it stays where it was in the photo. The last ring stands for the border.
SIZES = np.array([0.96, 1.12, 1.3, 1.6, 4.0], np.float32)
SETBACKS = np.array([0.0, 0.25, 0.55, 0.9, 1.2], np.float32)
STAYS = np.array([0.0, 0.0, 0.15, 0.5, 1.0], np.float32)


@dataclass(frozen=True)
class Surroundings:
    """Rings of anchors around a head.

    Attributes
    ----------
    anchors
        (R * D, 3) float32, image frame of the photo.
    stays
        (R * D,) share of each anchor that does not follow the head.
    triangles
        (T, 3) int32 between neighbouring rings.
    """

    anchors: Float
    stays: Float
    triangles: Int


def surroundings(head: Float) -> Surroundings:
    """Return rings around a head whose (V, 3) vertices are given in the image frame."""
    centre = head.mean(axis=0)
    from_centre = head - centre
    radius = np.linalg.norm(from_centre[:, :2], axis=1)
    angle = np.arctan2(from_centre[:, 1], from_centre[:, 0])
    sector = ((angle / (2 * np.pi) + 0.5) * DIRECTIONS).astype(int) % DIRECTIONS
    # The last one that is written wins: that with the largest radius.
    outline = np.full(DIRECTIONS, radius.argmax())
    order = np.argsort(radius)
    outline[sector[order]] = order
    edge = from_centre[outline]
    # Light from the front of a head says nothing of its depth: the outline's own is noisy at ears.
    depth = _smooth(edge[:, 2])
    scale = float(np.median(radius[outline]))
    rings = np.empty((len(SIZES), DIRECTIONS, 3), np.float32)
    rings[..., :2] = SIZES[:, None, None] * edge[:, :2]
    rings[..., 2] = depth - scale * SETBACKS[:, None]
    return Surroundings(
        (rings + centre).reshape(-1, 3).astype(np.float32),
        np.repeat(STAYS, DIRECTIONS),
        _ring_triangles(len(SIZES)),
    )


def turned(around: Surroundings, rotation: Float, centre: Float) -> Float:
    """Return (R * D, 3) anchors after a turn of the head by a (3, 3) rotation of the image
    frame.
    """
    moved = (around.anchors - centre) @ rotation.T.astype(np.float32) + centre
    still = around.stays[:, None]
    return ((1 - still) * moved + still * around.anchors).astype(np.float32)


def _smooth(ring: Float, reach: int = 4) -> Float:
    """Return moving average around a closed ring."""
    offsets = np.arange(-reach, reach + 1)
    return np.stack([np.roll(ring, offset) for offset in offsets]).mean(axis=0)


def _ring_triangles(rings: int) -> Int:
    here = np.arange(DIRECTIONS)
    after = (here + 1) % DIRECTIONS
    inner = DIRECTIONS * np.arange(rings - 1)[:, None]
    outer = inner + DIRECTIONS
    first = np.stack([inner + here, outer + here, outer + after], axis=-1)
    second = np.stack([inner + here, outer + after, inner + after], axis=-1)
    return np.concatenate([first, second]).reshape(-1, 3).astype(np.int32)
