"""Weak-perspective pose: 3x4 matrix <-> rotation, scale, translation <-> Euler angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

# Files of 3DDFA and 300W-LP hold the model in micrometres, and so do the 62 parameters.
MICROMETRES_PER_MILLIMETRE = 1000.0


@dataclass(frozen=True)
class Pose:
    """A head in a picture: ``position = scale * rotation @ vertex + translation``.

    The frame is y-up (model axes, pixels); vertices are millimetres.

    Attributes
    ----------
    rotation
        (3, 3) proper rotation.
    scale
        Pixels per millimetre.
    translation
        (3,) pixels.
    """

    rotation: Array
    scale: float
    translation: Array

    @property
    def matrix(self) -> Array:
        """(3, 4) matrix ``[scale * rotation | translation]`` on millimetres."""
        return np.column_stack([self.scale * self.rotation, self.translation])

    def apply(self, vertices: Array) -> Array:
        """Move (N, 3) millimetres into the picture's pixels."""
        matrix = (self.scale * self.rotation).astype(vertices.dtype)
        return vertices @ matrix.T + self.translation.astype(vertices.dtype)


def pose_from_parameters(parameters: Array) -> Pose:
    """Pose of a 62-vector in the crop frame (y up, 1-based pixels of the 120x120 crop).

    The first two rows of the 3x4 matrix are made orthonormal symmetrically (the closest pair, so
    that neither axis is favoured), the third is their cross product; the scale is the mean norm.
    """
    matrix = np.asarray(parameters[:12], np.float64).reshape(3, 4)
    rows = matrix[:2, :3]
    u, singular, vt = np.linalg.svd(rows, full_matrices=False)
    axes = u @ vt
    rotation = np.vstack([axes, np.cross(axes[0], axes[1])])
    return Pose(rotation, float(singular.mean()) * MICROMETRES_PER_MILLIMETRE, matrix[:, 3].copy())


def rotation_from_euler(yaw: float, pitch: float, roll: float) -> Array:
    """(3, 3) rotation from degrees in 300W-LP's convention.

    R = Rx(pitch) Ry(yaw) Rz(roll) with factors of transposed sign, so that
    ``R[0, 2] = -sin(yaw)``.
    """
    y, p, r = np.radians([yaw, pitch, roll])
    rx = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    ry = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return rx @ ry @ rz


def euler_angles(
    rotation: Array, convention: Literal["exact", "official"] = "exact"
) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees.

    Parameters
    ----------
    rotation
        (3, 3).
    convention
        ``exact`` inverts `rotation_from_euler`; ``official`` is what SynergyNet's published code
        (its ``benchmark.py``) computes: pitch and roll as in ``exact``, but the yaw from
        ``R[2, 0]``, which mixes conventions.

    Notes
    -----
    At yaw +-90 degrees pitch and roll turn about the same axis; roll is then set to 0.
    """
    r = np.asarray(rotation, np.float64)
    if convention == "official":
        yaw, pitch, roll = _official_euler_angles(r)
    else:
        yaw = np.arcsin(np.clip(-r[0, 2], -1, 1))
        if abs(r[0, 2]) < 1 - 1e-9:
            pitch = np.arctan2(r[1, 2], r[2, 2])
            roll = np.arctan2(r[0, 1], r[0, 0])
        else:
            pitch = np.arctan2(-r[2, 1], r[1, 1])
            roll = 0.0
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


def yaw_pitch_roll(rotations: Array) -> Array:
    """(N, 3) `euler_angles` in degrees of (N, 3, 3) rotations; NaN stays NaN."""
    r = np.asarray(rotations, np.float64)
    yaw = np.arcsin(np.clip(-r[:, 0, 2], -1, 1))
    pitch = np.arctan2(r[:, 1, 2], r[:, 2, 2])
    roll = np.arctan2(r[:, 0, 1], r[:, 0, 0])
    return np.degrees(np.stack([yaw, pitch, roll], axis=1))


def _official_euler_angles(r: Array) -> tuple[float, float, float]:
    if abs(r[2, 0]) < 1:
        return np.arcsin(r[2, 0]), np.arctan2(r[1, 2], r[2, 2]), np.arctan2(r[0, 1], r[0, 0])
    # In the published code the signs at the pole are the other way round, by mistake.
    if r[2, 0] < 0:
        return -np.pi / 2, np.arctan2(r[0, 1], r[0, 2]), 0.0
    return np.pi / 2, np.arctan2(-r[0, 1], -r[0, 2]), 0.0


def blender_quaternion(rotation: Array) -> tuple[float, float, float, float]:
    """As `blender_quaternions`, of a single (3, 3) rotation."""
    w, x, y, z = blender_quaternions(rotation[None])[0].tolist()
    return w, x, y, z


def blender_quaternions(rotations: Array) -> Array:
    """Rotations of the model frame in Blender's: (N, 3, 3) -> (N, 4) w, x, y, z with w >= 0.

    The camera that sees the photo's pose looks along +Y with Z up.
    """
    from scipy.spatial.transform import Rotation

    if not len(rotations):
        return np.zeros((0, 4))
    blender_from_model = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    turned = blender_from_model @ rotations @ blender_from_model.T
    return Rotation.from_matrix(turned).as_quat(canonical=True)[:, [3, 0, 1, 2]]
