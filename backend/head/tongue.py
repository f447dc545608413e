"""The tongue: a soft body along a line from its root to its tip, and how it is put out.

The frame is the mouth's, see `backend.head.teeth`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from backend.head.parts import fan_faces, grid_faces
from backend.head.teeth import Mesh

Float = NDArray[np.floating]

# From the root (0) to the tip (1): the middle line's (y, z), half the width, and how thick it is
# above and below the line. It lies on the floor, within the lower arch, its tip behind the teeth.
PLACES = [0.0, 0.2, 0.4, 0.6, 0.8, 0.92, 1.0]
LINE = np.array(
    [(-17, -60), (-12, -52), (-8.5, -41), (-7, -30), (-7, -19), (-7.3, -12), (-7.5, -9.5)], float
)
HALF_WIDTH = [15, 17.5, 18, 17, 15, 13, 12]
ABOVE = [7, 6.5, 5.5, 4.8, 3.6, 3.0, 2.6]
BELOW = [9, 8, 7, 5.5, 3.8, 3.0, 2.6]
# The same line with the tongue out: over the lower teeth and lip, its tip hanging down.
OUT_LINE = np.array(
    [(-17, -60), (-11, -46), (-5.5, -31), (-1.5, -14), (-0.5, 4), (-4, 18), (-11, 24)], float
)
OUT_WIDTH = [15, 17, 17, 16, 16, 16, 16]
OUT_ABOVE = [7, 6, 4.6, 3.6, 3.0, 2.6, 2.6]
OUT_BELOW = [9, 7, 4.5, 3.4, 3.0, 2.6, 2.6]
# From here on the tip is round.
ROUND_FROM = 0.66
ROWS, COLUMNS = 26, 28
# Of the section's superellipse; and how deep the furrow along the middle is, as a share.
EXPONENT, FURROW = 2.4, 0.16


@cache
def tongue_mesh() -> tuple[Mesh, NDArray[np.float64]]:
    """Return the tongue at rest, and how far each vertex moves when it is put out.

    Returns
    -------
    Vertices, texture coordinates (u around, v from the root, 0, to the tip, 1) and faces; and
    (N, 3) millimetres.
    """
    rest = _body(LINE, HALF_WIDTH, ABOVE, BELOW)
    out = _body(OUT_LINE, OUT_WIDTH, OUT_ABOVE, OUT_BELOW)
    u, v = np.meshgrid(np.arange(COLUMNS) / COLUMNS, np.linspace(0, 1, ROWS))
    uv = np.vstack([np.stack([u.ravel(), v.ravel()], axis=1), [0.5, 1.0]])
    faces = np.concatenate(
        [
            grid_faces(ROWS, COLUMNS, closed=True),
            fan_faces(np.arange((ROWS - 1) * COLUMNS, ROWS * COLUMNS), ROWS * COLUMNS),
        ]
    )
    return (rest, uv, faces), out - rest


def _body(
    line: Float, half_width: Sequence[float], above: Sequence[float], below: Sequence[float]
) -> Float:
    """Vertices of a body around a line, from its root on, the tip last."""
    # Rows crowd towards the tip, where the body ends.
    along = np.sin(np.linspace(0, np.pi / 2, ROWS)) * 0.5 + np.linspace(0, 1, ROWS) * 0.5
    middle = PchipInterpolator(PLACES, line)(along)
    ahead = PchipInterpolator(PLACES, line).derivative()(along)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    upwards = np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)  # (y, z), at right angles
    turn = 2 * np.pi * np.arange(COLUMNS) / COLUMNS
    sine, cosine = np.sin(turn), np.cos(turn)
    power = 2 / EXPONENT
    x = np.sign(sine) * np.abs(sine) ** power
    height = np.sign(cosine) * np.abs(cosine) ** power
    measures = half_width, above, below
    width, top, bottom = (PchipInterpolator(PLACES, m)(along)[:, None] for m in measures)
    end = np.clip((along - ROUND_FROM) / (1 - ROUND_FROM), 0, 1)[:, None]
    width = width * np.sqrt(1 - 0.98 * end**2)
    top, bottom = (thick * (1 - 0.85 * end**4) for thick in (top, bottom))
    furrow = 1 - FURROW * np.exp(-((x / 0.22) ** 2)) * (1 - along[:, None] ** 4)
    thick = np.where(height > 0, top * furrow, bottom) * height
    rows = np.stack(
        [
            np.broadcast_to(width * x, thick.shape),
            middle[:, :1] + upwards[:, :1] * thick,
            middle[:, 1:] + upwards[:, 1:] * thick,
        ],
        axis=-1,
    )
    tip = np.array([0.0, *(middle[-1] + ahead[-1] * top[-1, 0])])
    return np.vstack([rows.reshape(-1, 3), tip])
