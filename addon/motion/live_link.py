"""Takes of Live Link Face as recordings of a clip, and a head's motion as such a take.

The app's angles turn about the person's left, up, and out of the face: Blender's X, Z and -Y. No
``bpy`` here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..exchange.contract import N_EXPRESSIONS, N_PARAMETERS
from ..exchange.expressions import EXPRESSION_NAMES, GAZE_DEGREES
from ..exchange.live_link import ANGLES, RATE, LiveLinkTake
from ..exchange.smoothing import Motion, quaternion_product, quaternions_of
from .recording import Recording

Float = NDArray[np.floating]

# Blender's axes about which yaw, pitch and roll turn, in the order in which they are multiplied.
AXES = np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])
# What says nothing: such a take knows no picture.
IMAGE_SIZE = (2, 2)


def recording_of(take: LiveLinkTake) -> Recording:
    """Return a recording whose head turns where it stands."""
    n = len(take.seconds)
    turned = np.zeros((n, 3)) if take.angles is None else take.angles[:, :3]
    motion = Motion(
        take.seconds,
        np.ones(n, np.float32),
        quaternions(turned).astype(np.float32),
        np.ones(n, np.float32),
        np.zeros((n, 3), np.float32),
        np.zeros((n, N_EXPRESSIONS), np.float32),
        take.keys,
    )
    nowhere = np.zeros((n, N_PARAMETERS), np.float32), np.zeros((n, 4), np.float32)
    points = np.zeros((1, 3), np.float32)
    return Recording(motion, np.arange(n), *nowhere, points, IMAGE_SIZE, RATE)


def take_of(seconds: Float, keys: Float, turned: Float) -> LiveLinkTake:
    """Return a take of a head's motion.

    Parameters
    ----------
    seconds
        (N,) rising.
    keys
        (N, 52) in the order of `EXPRESSION_NAMES`.
    turned
        (N, 4) quaternions w, x, y, z of the head in Blender's axes.
    """
    angles = np.zeros((len(seconds), len(ANGLES)), np.float32)
    angles[:, :3] = head_angles(turned)
    for column, side, outwards in ((3, "Left", 1), (6, "Right", -1)):
        gaze = {
            way: np.radians(GAZE_DEGREES[way])
            * keys[:, EXPRESSION_NAMES.index(f"eyeLook{way}{side}")]
            for way in GAZE_DEGREES
        }
        angles[:, column] = outwards * (gaze["Out"] - gaze["In"])
        angles[:, column + 1] = gaze["Down"] - gaze["Up"]
    return LiveLinkTake(np.asarray(seconds, float), keys.astype(np.float32), angles)


def quaternions(angles: Float) -> Float:
    """(N, 4) w, x, y, z in Blender's axes of (N, 3) yaw, pitch and roll in radians."""
    yaw, pitch, roll = (
        quaternions_of(column[:, None] * axis)
        for column, axis in zip(np.asarray(angles, float).T, AXES, strict=True)
    )
    return quaternion_product(quaternion_product(yaw, pitch), roll)


def head_angles(turned: Float) -> Float:
    """(N, 3) yaw, pitch and roll in radians; the inverse of `quaternions`."""
    w, x, y, z = np.asarray(turned, float).T
    # Of the rotation matrix: where the front (-Y) goes, and how high the left (X) and the top are.
    front_left, front_out = 2 * (w * z - x * y), 1 - 2 * (x * x + z * z)
    front_up = -2 * (y * z + w * x)
    left_up, top_up = 2 * (x * z - w * y), 1 - 2 * (x * x + y * y)
    yaw = np.arctan2(front_left, front_out)
    pitch = np.arcsin(np.clip(-front_up, -1, 1))
    return np.stack([yaw, pitch, np.arctan2(left_up, top_up)], axis=1)
