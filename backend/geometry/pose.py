"""Weak-perspective pose: 3x4 matrix <-> rotation, scale, translation <-> Euler angles.

Convention
----------
Rotations turn the model frame: right-handed, x to the image's right, y up, z towards the viewer.
Yaw, pitch and roll are degrees, as 300W-LP has them: ``R = Rx(pitch) Ry(yaw) Rz(roll)`` with
factors of transposed sign, so that ``R[0, 2] = -sin(yaw)``. A face with a positive yaw looks to the
image's left, with a positive pitch up, and with a positive roll it leans to the image's right.
"""

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
    """Heads in pictures: ``position = scale * rotation @ vertex + translation``.

    The axes of the positions are the model's, y up; vertices are millimetres. One head has no
    further axes, several have theirs first.

    Attributes
    ----------
    rotation
        (..., 3, 3) proper rotations.
    scale
        (...,) pixels per millimetre.
    translation
        (..., 3) pixels.
    """

    rotation: Array
    scale: float | Array
    translation: Array

    @property
    def linear(self) -> Array:
        """(..., 3, 3) scaled rotations."""
        return np.asarray(self.scale)[..., None, None] * self.rotation

    @property
    def matrix(self) -> Array:
        """(..., 3, 4) matrices ``[scale * rotation | translation]`` on millimetres."""
        return np.concatenate([self.linear, self.translation[..., None]], axis=-1)

    def apply(self, vertices: Array) -> Array:
        """Move (..., P, 3) millimetres into the picture's pixels."""
        matrix = self.linear.astype(vertices.dtype)
        shift = self.translation.astype(vertices.dtype)
        return vertices @ matrix.swapaxes(-1, -2) + shift[..., None, :]


def nearest_rotation(rows: Array) -> tuple[Array, Array]:
    """Find the rotations nearest to scaled ones of which two rows are known.

    The rows are made orthonormal symmetrically (the closest pair, so that neither axis is
    favoured), and the third is their cross product.

    Parameters
    ----------
    rows
        (..., 2, 3).

    Returns
    -------
    (..., 3, 3) rotations, and (...,) the scales: the rows' mean norms.

    Examples
    --------
    >>> rotation, scale = nearest_rotation(2.0 * np.eye(3)[:2])
    >>> rotation.round(6).tolist(), float(scale.round(6))
    ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 2.0)
    """
    u, singular, vt = np.linalg.svd(np.asarray(rows, np.float64), full_matrices=False)
    axes = u @ vt
    third = np.cross(axes[..., 0, :], axes[..., 1, :])
    return np.concatenate([axes, third[..., None, :]], axis=-2), singular.mean(axis=-1)


def rotation_from_euler(yaw: float, pitch: float, roll: float) -> Array:
    """Turn by degrees of yaw, pitch and roll.

    Returns
    -------
    (3, 3) rotation.

    Examples
    --------
    >>> euler_angles(rotation_from_euler(30, -10, 5)).round(6).tolist()
    [30.0, -10.0, 5.0]
    """
    y, p, r = np.radians([yaw, pitch, roll])
    rx = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    ry = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return rx @ ry @ rz


Convention = Literal["exact", "official"]


def euler_angles(rotations: Array, convention: Convention = "exact") -> Array:
    """Measure yaw, pitch and roll in degrees.

    Parameters
    ----------
    rotations
        (..., 3, 3).
    convention
        ``exact`` inverts `rotation_from_euler`; ``official`` is what SynergyNet's published code
        (its ``benchmark.py``) computes: pitch and roll as in ``exact``, but the yaw from
        ``R[2, 0]``, which mixes conventions.

    Returns
    -------
    (..., 3) float64; NaN stays NaN.

    Notes
    -----
    At yaw +-90 degrees pitch and roll turn about the same axis; roll is then set to 0.
    """
    r = np.asarray(rotations, np.float64)
    angles = _official_euler_angles(r) if convention == "official" else _exact_euler_angles(r)
    return np.degrees(np.stack(angles, axis=-1))


def _exact_euler_angles(r: Array) -> tuple[Array, Array, Array]:
    yaw = np.arcsin(np.clip(-r[..., 0, 2], -1, 1))
    pole = np.abs(r[..., 0, 2]) >= 1 - 1e-9
    pitch = np.arctan2(r[..., 1, 2], r[..., 2, 2])
    roll = np.arctan2(r[..., 0, 1], r[..., 0, 0])
    at_pole = np.arctan2(-r[..., 2, 1], r[..., 1, 1])
    return yaw, np.where(pole, at_pole, pitch), np.where(pole, 0.0, roll)


def _official_euler_angles(r: Array) -> tuple[Array, Array, Array]:
    sine = r[..., 2, 0]
    yaw = np.arcsin(np.clip(sine, -1, 1))
    pitch = np.arctan2(r[..., 1, 2], r[..., 2, 2])
    roll = np.arctan2(r[..., 0, 1], r[..., 0, 0])
    # In the published code the signs at the pole are the other way round, by mistake.
    yaw = np.where(np.abs(sine) < 1, yaw, np.where(sine < 0, -np.pi / 2, np.pi / 2))
    sign = np.where(sine < 0, 1.0, -1.0)
    at_pole = np.arctan2(sign * r[..., 0, 1], sign * r[..., 0, 2])
    pole = np.abs(sine) >= 1
    return yaw, np.where(pole, at_pole, pitch), np.where(pole, 0.0, roll)


def blender_quaternions(rotations: Array) -> Array:
    """Carry rotations of the model frame to Blender's.

    The camera that sees the photo's pose looks along +Y with Z up.

    Parameters
    ----------
    rotations
        (..., 3, 3).

    Returns
    -------
    (..., 4) w, x, y, z with w >= 0.
    """
    from scipy.spatial.transform import Rotation

    if not rotations.size:
        return np.zeros((*rotations.shape[:-2], 4))
    blender_from_model = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    turned = blender_from_model @ rotations @ blender_from_model.T
    quaternions = Rotation.from_matrix(turned.reshape(-1, 3, 3)).as_quat(canonical=True)
    return quaternions[:, [3, 0, 1, 2]].reshape(*rotations.shape[:-2], 4)
