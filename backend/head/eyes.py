"""Eyeballs: a person's own place for them, their shape, how they turn; and the lids' thickness.

The ball has the size of everybody's (24 mm). Its centre is where it agrees best with the surface
that the face has between the lids, set back as far as no lid needs it to be. What a key moves the
lids through it, the key moves it back: eyes that blink retract, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from backend.exchange.expressions import GAZE_DEGREES
from backend.head.eye_patch import EyePatch
from backend.head.parts import Deltas, Part, fan_faces, grid_faces, moving

Float = NDArray[np.floating]

# Millimetres. Ball and cornea, of an emmetropic adult; the cornea's bulge is its height above the
# ball, a little less than in nature, because lids that are shapes do not slide over it.
RADIUS, LIMBUS, BULGE = 12.0, 5.9, 0.7
# Between the ball and lids in front of it.
GAP = 0.12
# Newton's method finds the centre in this many steps.
STEPS = 8
# Rings from the middle of the pupil to the back; and around. Close at the iris.
RINGS = np.radians(
    [0.0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 34, 39, 46, 55, 66, 80, 100, 125, 150, 180]
)
AROUND = 40
# Share of the texture's half width that iris and pupil take: the ball's front wants most of it.
IRIS_SHARE = 0.5
LIMBUS_ANGLE = float(np.arcsin(LIMBUS / RADIUS))

# The lids: how far they end in front of the middle of the eye, as a share of the way there; and the
# ring behind, in the same share outwards and millimetres back.
INNER, OUTER, BACK = 0.06, -0.16, 2.4


@dataclass(frozen=True)
class Eyeball:
    """Where a person's eyeball is: (3,) millimetres in the model frame."""

    centre: Float


def fit_eyeball(neutral: Float, patch: EyePatch) -> Eyeball:
    """Place an eyeball behind the lids of a face.

    Parameters
    ----------
    neutral
        (V, 3) millimetres in the model frame.
    """
    surface = neutral[patch.vertices].astype(np.float64)
    centre = surface.mean(axis=0) - (0, 0, RADIUS)
    for _ in range(STEPS):
        away = centre - surface
        distance = np.linalg.norm(away, axis=1)
        slope = away / distance[:, None]
        centre = centre - np.linalg.lstsq(slope, distance - RADIUS, rcond=None)[0]
    front = np.concatenate([neutral[patch.near], lid_rings(neutral, patch)[1]])
    return Eyeball(centre - (0, 0, set_back(front, centre)))


def set_back(front: Float, centre: Float) -> float:
    """Millimetres that an eyeball has to go back for points to stay in front of it.

    Parameters
    ----------
    front
        (N, 3) points of the lids and around them.
    """
    x, y, z = (front - centre).T
    aside = np.hypot(x, y)
    covers = aside < RADIUS
    if not covers.any():
        return 0.0
    height = _height(aside[covers]) + GAP
    return max(0.0, float((height - z[covers]).max()))


def _height(aside: Float) -> Float:
    """How far the ball with its cornea reaches forwards at a distance from its axis."""
    ball = np.sqrt(np.maximum(RADIUS**2 - aside**2, 0))
    return ball + _bulge(np.minimum(aside / LIMBUS, 1))


def _bulge(share: Float) -> Float:
    return BULGE * (1 - share**2) ** 2


def eyeball_part(eye: Eyeball, patch: EyePatch, side: str, neutral: Float, deltas: Deltas) -> Part:
    """Return the eyeball as a mesh, looking straight ahead.

    Parameters
    ----------
    side
        ``left`` or ``right``.
    neutral, deltas
        The face and its 52 keys, (V, 3) each.
    """
    shape, uv, faces = _ball()
    vertices = (shape + eye.centre).astype(np.float32)
    moved = {name: shape @ (turn - np.eye(3)).T for name, turn in _turns(side).items()}
    front, rings = neutral[patch.near], lid_rings(neutral, patch)[1]
    for name, delta in deltas.items():
        moves = delta[patch.near]
        if np.abs(moves).max() < GAP / 2:
            continue
        lids = np.concatenate([front + moves, rings + lid_rings(delta, patch, offset=False)[1]])
        half = np.concatenate([front + moves / 2, (rings + lids[len(front) :]) / 2])
        back = max(set_back(lids, eye.centre), 2 * set_back(half, eye.centre))
        if back > 0:
            moved[name] = moved.get(name, 0) + np.broadcast_to((0, 0, -back), shape.shape)
    return Part(f"eye_{side}", vertices, faces, uv, "eye", moving(moved))


def _turns(side: str) -> dict[str, NDArray[np.float64]]:
    """Rotations of one eye by the names of the keys that make them."""
    outwards = 1 if side == "left" else -1
    angles = {
        "In": (0.0, -outwards * GAZE_DEGREES["In"]),
        "Out": (0.0, outwards * GAZE_DEGREES["Out"]),
        "Up": (-GAZE_DEGREES["Up"], 0.0),
        "Down": (GAZE_DEGREES["Down"], 0.0),
    }
    return {
        f"eyeLook{way}{side.capitalize()}": _rotation(*np.radians(angle))
        for way, angle in angles.items()
    }


def _rotation(pitch: float, yaw: float) -> NDArray[np.float64]:
    """Positive pitch turns +z down, positive yaw turns it to +x."""
    (cp, cy), (sp, sy) = np.cos([pitch, yaw]), np.sin([pitch, yaw])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return about_y @ about_x


@cache
def _ball() -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.int32]]:
    """Vertices about the centre, looking along +z; texture coordinates; faces."""
    around = 2 * np.pi * np.arange(AROUND) / AROUND
    angle = np.repeat(RINGS[1:-1], AROUND)
    turn = np.tile(around, len(RINGS) - 2)
    aside = RADIUS * np.sin(angle)
    bulge = np.where(angle < LIMBUS_ANGLE, _bulge(np.minimum(aside / LIMBUS, 1)), 0)
    rings = np.stack(
        [aside * np.cos(turn), aside * np.sin(turn), RADIUS * np.cos(angle) + bulge], axis=1
    )
    poles = np.array([[0, 0, RADIUS + BULGE], [0, 0, -RADIUS]])
    radius = 0.5 * texture_radius(angle)
    uv = 0.5 + np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    n = len(rings)
    faces = [
        # Rings follow one another backwards, so rows go from the inside outwards.
        grid_faces(len(RINGS) - 2, AROUND, closed=True),
        fan_faces(np.arange(AROUND), n),
        fan_faces(np.arange(n - AROUND, n)[::-1], n + 1),
    ]
    uv = np.concatenate([uv, [[0.5, 0.5], [1.0, 0.5]]]).astype(np.float32)
    return np.concatenate([rings, poles]), uv, np.concatenate(faces)


def texture_radius(angle: Float) -> Float:
    """Where an angle from the gaze is in the eye's round texture: 0 its middle, 1 its edge."""
    iris = IRIS_SHARE * angle / LIMBUS_ANGLE
    white = IRIS_SHARE + (1 - IRIS_SHARE) * (angle - LIMBUS_ANGLE) / (np.pi - LIMBUS_ANGLE)
    return np.where(angle < LIMBUS_ANGLE, iris, white)


def lid_rings(face: Float, patch: EyePatch, *, offset: bool = True) -> tuple[Float, Float, Float]:
    """Return the border of the patch, a smooth line inside of it, and one behind the lids.

    All follow the face's vertices linearly: `offset` False is for deltas, which get no distance.
    """
    border = face[patch.loop].astype(np.float64)
    smooth = patch.rim @ border
    middle = smooth.mean(axis=0)
    inner = smooth + INNER * (middle - smooth)
    behind = smooth + OUTER * (middle - smooth)
    return border, inner, behind - ((0, 0, BACK) if offset else 0)


def lids_part(patch: EyePatch, side: str, neutral: Float, uv: Float, deltas: Deltas) -> Part:
    """Return the lids' thickness: from the border of the patch inwards to a smooth rim, then back.

    Parameters
    ----------
    uv
        (V, 2) of the face, whose texture it shares.
    """
    vertices = np.concatenate(lid_rings(neutral, patch)).astype(np.float32)
    moved = {
        name: np.concatenate(lid_rings(delta, patch, offset=False))
        for name, delta in deltas.items()
        if np.abs(delta[patch.loop]).max() > 0
    }
    faces = grid_faces(3, len(patch.loop), closed=True)[:, ::-1]
    return Part(
        f"lids_{side}", vertices, faces, np.tile(uv[patch.loop], (3, 1)), "skin", moving(moved)
    )
