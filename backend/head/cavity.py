"""The inside of the mouth: dark mucosa from the lips' inner rims around teeth and tongue.

The frame is the mouth's, see `backend.head.teeth`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.head.parts import fan_faces, flipped, grid_faces
from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Rings behind the lips: how far up and how far down they reach, half their width, how far forwards
# in the middle, how much further back at the sides, and how far they go with the lips.
RINGS = np.array(
    [
        (4.0, 4.0, 23.0, 4.5, 14.0, 0.85),
        (10.0, 11.0, 28.0, 3.5, 22.0, 0.45),
        (14.0, 15.0, 33.0, -4.0, 27.0, 0.2),
        (17.0, 19.0, 36.0, -22.0, 18.0, 0.05),
        (18.0, 21.0, 35.0, -42.0, 6.0, 0.0),
        (16.0, 20.0, 26.0, -58.0, 0.0, 0.0),
        (9.0, 12.0, 14.0, -68.0, 0.0, 0.0),
    ]
)
# Of the rings' superellipse: a mouth is broader than an ellipse.
EXPONENT = 2.6
# The ring just behind the lips' rims: this share towards the next one.
BEHIND_LIPS = 0.3


def lip_loop(model: MorphableModel) -> NDArray[np.int64]:
    """(78,) vertices of the lips' inner rims, anticlockwise seen from the front.

    It begins at the corner of the mouth on the person's right.
    """
    import igl

    loop = np.asarray(min(igl.boundary_loop_all(model.triangles.astype(np.int64)), key=len))
    loop = np.roll(loop, -int(model.mean[loop, 0].argmin()))
    x, y = model.mean[loop, 0], model.mean[loop, 1]
    area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum()
    return loop if area > 0 else np.roll(loop[::-1], 1)


def cavity_mesh(loop: Float) -> tuple[Float, Float, NDArray[np.int32], Float, Float]:
    """Return the mouth's inside for a loop of lips.

    Parameters
    ----------
    loop
        (78, 3) in the mouth's frame, see `lip_loop`.

    Returns
    -------
    (N, 3) vertices, (N, 2) texture coordinates (v from the lips, 1, to the throat, 0), (F, 4) faces
    seen from within; (N,) how far each goes with the lips, (N,) how far with the jaw.
    """
    n = len(loop)
    right = int(loop[:, 0].argmax())
    # The lower lip's rim runs from the first corner to the second, the upper one's back.
    turn = np.concatenate(
        [np.pi + np.pi * np.arange(right) / right, np.pi * np.arange(n - right) / (n - right)]
    )
    power = 2 / EXPONENT
    x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power
    y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power
    up, down, wide, forward, aside, _ = (column[:, None] for column in RINGS.T)
    rings = np.stack([wide * x, np.where(y > 0, up, down) * y, forward - aside * x**2], axis=-1)
    behind = loop + BEHIND_LIPS * (rings[0] - loop)
    end = np.array([0.0, rings[-1, :, 1].mean(), RINGS[-1, 3] - 4])
    vertices = np.concatenate([loop, behind, rings.reshape(-1, 3), [end]])
    lips = np.repeat([1.0, 1.0, *RINGS[:, -1]], n)
    lower = np.tile(_smoothstep(0.5 - 0.5 * y), len(RINGS) + 2)
    rows = len(RINGS) + 2
    u, v = np.meshgrid(np.arange(n) / n, np.linspace(1, 0, rows))
    uv = np.vstack([np.stack([u.ravel(), v.ravel()], axis=1), [0.5, 0.0]])
    faces = np.concatenate(
        [
            flipped(grid_faces(rows, n, closed=True)),
            fan_faces(np.arange((rows - 1) * n, rows * n), rows * n),
        ]
    )
    # The throat hangs halfway between skull and jaw.
    return vertices, uv, faces, np.append(lips, 0.0), np.append(lower, 0.5)


def _smoothstep(share: Float) -> Float:
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)
