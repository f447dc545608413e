"""Teeth: two arches of single crowns, each shaped by its kind's measures, and their gums.

The frame is the mouth's own: millimetres, x to the person's left, y up, z out of the face; the
plane in which the molars meet is y = 0, and the arches' foremost centres are at z = 0. Crowns have
the measures of Wheeler's dental anatomy: width along the arch, height from gum to edge, depth
from lip to tongue. The wisdom teeth are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from backend.head.parts import fan_faces, flipped, grid_faces

Float = NDArray[np.floating]
Int = NDArray[np.integer]


@dataclass(frozen=True)
class Crown:
    """Measures of a kind of tooth, in millimetres; `cusps` are 0 for an edge, 1 for a point."""

    width: float
    height: float
    depth: float
    cusps: int


@dataclass(frozen=True)
class Arch:
    """One half of a jaw's teeth from the middle, and the half ellipse on which they stand.

    Attributes
    ----------
    half_width, length
        The ellipse's half axes, sideways and backwards.
    forward
        How far its front stands before that of the other jaw.
    overlap
        How far the incisors' edges pass the plane in which the molars meet.
    up
        1 if the crowns hang down from above.
    """

    crowns: tuple[Crown, ...]
    half_width: float
    length: float
    forward: float
    overlap: float
    up: int


UPPER = Arch(
    (
        Crown(8.5, 10.5, 7.0, 0), Crown(6.5, 9.0, 6.0, 0), Crown(7.5, 10.0, 8.0, 1),
        Crown(7.0, 8.5, 9.0, 2), Crown(7.0, 8.5, 9.0, 2), Crown(10.0, 7.5, 11.0, 4),
        Crown(9.0, 7.0, 11.0, 4),
    ),
    half_width=26.0, length=43.0, forward=0.0, overlap=1.2, up=1,
)  # fmt: skip
LOWER = Arch(
    (
        Crown(5.0, 9.0, 6.0, 0), Crown(5.5, 9.5, 6.5, 0), Crown(7.0, 10.5, 7.5, 1),
        Crown(7.0, 8.5, 7.5, 2), Crown(7.0, 8.0, 8.0, 2), Crown(11.0, 7.5, 10.5, 4),
        Crown(10.5, 7.0, 10.0, 4),
    ),
    half_width=24.5, length=41.0, forward=-3.2, overlap=1.0, up=-1,
)  # fmt: skip

# A crown's shape: at shares of its height from the gum to the edge, shares of its measures. The
# last ring is in the gum. Incisors grow thin towards their edge, molars stay broad.
RINGS = np.array([1.0, 0.96, 0.88, 0.75, 0.55, 0.35, 0.15, 0.0, -0.25])
WIDTH = {
    "edge": ([0, 0.35, 0.7, 0.93, 1], [0.70, 0.87, 1.0, 1.0, 0.93]),
    "point": ([0, 0.35, 0.65, 0.9, 1], [0.68, 0.88, 1.0, 0.78, 0.45]),
    "molar": ([0, 0.35, 0.7, 0.9, 1], [0.78, 0.9, 1.0, 0.93, 0.7]),
}
LIP_SIDE = {
    "edge": ([0, 0.3, 0.7, 1], [0.86, 1.0, 0.9, 0.66]),
    "point": ([0, 0.3, 0.7, 1], [0.86, 1.0, 0.86, 0.5]),
    "molar": ([0, 0.4, 0.8, 1], [0.84, 1.0, 0.9, 0.6]),
}
TONGUE_SIDE = {
    "edge": ([0, 0.25, 0.6, 0.9, 1], [0.86, 1.0, 0.25, -0.25, -0.36]),
    "point": ([0, 0.3, 0.6, 0.9, 1], [0.86, 1.0, 0.5, -0.02, -0.2]),
    "molar": ([0, 0.4, 0.8, 1], [0.84, 1.0, 0.9, 0.6]),
}
SEGMENTS = 18
# Of the superellipse that a crown's section is.
EXPONENT = 2.7
# Millimetres that the hollow between a molar's cusps is deep.
HOLLOW = 1.2
# Teeth touch where they are widest; seen from the lip their line is longer than along the arch.
WIDER = 1.06
# Gums: rows from the lip's side over the ridge to the tongue's, as shares of the teeth's depth
# outwards (negative: inwards), millimetres more, and millimetres from the gum line to the root.
GUM_ROWS = np.array(
    [
        (0.5, 2.0, 11.0), (0.5, 1.8, 7.0), (0.5, 1.3, 3.5), (0.5, 0.8, 1.2), (0.48, 0.35, 0.0),
        (0.3, -0.4, 0.2), (-0.3, 0.4, 0.2), (-0.48, -0.35, 0.0), (-0.5, -0.9, 1.2),
        (-0.5, -1.5, 4.0), (-0.5, -2.6, 9.0),
    ]
)  # fmt: skip
GUM_COLUMNS = 241
# Between two teeth the gum reaches this share of their height down, and stands back by so much.
PAPILLA, EMBRASURE = 0.36, 0.6
# Millimetres of gum beyond the last tooth; and from the middle over which the overlap ends.
BEYOND, OVERLAP_ENDS = 3.0, 22.0
# Steps in which the ellipse's length is measured.
FINE = 512

Mesh = tuple[Float, Float, NDArray[np.int32]]


@cache
def arch_teeth(arch: Arch) -> Mesh:
    """Return the crowns of one jaw.

    Returns
    -------
    (N, 3) vertices, (N, 2) texture coordinates (u around a crown, v from the gum, 0, to the edge,
    1), (F, 4) faces.
    """
    vertices, uvs, faces, count = [], [], [], 0
    for side in (1, -1):
        for place, crown in zip(_places(arch), arch.crowns, strict=True):
            shape, uv, cells = _crown(crown)
            at, (ahead, up, outwards) = side * place, shape.T
            down = up - crown.height
            vertices.append(_on_arch(arch, at + side * ahead, outwards, down, at))
            uvs.append(uv)
            faces.append((cells if side * arch.up < 0 else flipped(cells)) + count)
            count += len(shape)
    return np.concatenate(vertices), np.concatenate(uvs), np.concatenate(faces)


@cache
def arch_gums(arch: Arch) -> Mesh:
    """Return the gums of one jaw, as `arch_teeth`: u along the arch, v from the lip's side, 1."""
    places, widths = _places(arch), np.array([crown.width for crown in arch.crowns])
    end = places[-1] + widths[-1] / 2 + BEYOND
    along = np.linspace(-end, end, GUM_COLUMNS)
    apart = np.abs(np.abs(along)[:, None] - places)
    nearest = apart.argmin(axis=1)
    phase = np.minimum(apart.min(axis=1) / (widths[nearest] / 2), 1.0)
    phase[np.abs(along) > places[-1]] = 0
    height = np.interp(np.abs(along), places, [crown.height for crown in arch.crowns])
    depth = np.interp(np.abs(along), places, [crown.depth for crown in arch.crowns])
    share, more, root = (column[:, None] for column in GUM_ROWS.T)
    margin = np.exp(-0.5 * (root / 1.5) ** 2)
    outwards = share * depth + more - np.sign(share) * EMBRASURE * phase**4 * margin
    down = -root + PAPILLA * height * phase**3 * margin
    rows = len(GUM_ROWS)
    place = np.tile(along, rows)
    vertices = _on_arch(arch, place, outwards.ravel(), (down - height).ravel(), place)
    u, v = np.meshgrid(np.linspace(0, 1, GUM_COLUMNS), np.linspace(1, 0, rows))
    faces = grid_faces(rows, GUM_COLUMNS)
    return vertices, np.stack([u.ravel(), v.ravel()], 1), faces if arch.up > 0 else flipped(faces)


def arch_front(arch: Arch, x: Float) -> Float:
    """How far forwards the crowns of an arch reach at a distance from the middle.

    Parameters
    ----------
    x
        (N,) millimetres.

    Returns
    -------
    (N,) z in the mouth's frame; -inf beside the arch.
    """
    out = arch.crowns[0].depth / 2
    share = 1 - (x / (arch.half_width + out)) ** 2
    front = arch.forward + out + (arch.length + out) * (np.sqrt(np.maximum(share, 0)) - 1)
    return np.where(share > 0, front, -np.inf)


def _places(arch: Arch) -> Float:
    """Millimetres along the arch from the middle to the centre of each crown."""
    widths = np.array([crown.width for crown in arch.crowns])
    return np.cumsum(widths) - widths / 2


def _on_arch(arch: Arch, along: Float, outwards: Float, down: Float, at: Float | float) -> Float:
    """From a place along an arch, across it, and down from the edges, to the mouth's frame.

    Parameters
    ----------
    at
        The place whose tangent counts: one for a whole crown, so that it is not bent.
    """
    t = np.linspace(-np.pi / 2, np.pi / 2, FINE)
    line = np.stack([arch.half_width * np.sin(t), arch.length * (np.cos(t) - 1)], axis=1)
    place = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    place -= place[-1] / 2
    tangent = np.gradient(line, place, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    x, z = (np.interp(at, place, line[:, k]) for k in range(2))
    # Beyond the ellipse's ends it goes straight on.
    past = np.asarray(at) - np.clip(at, place[0], place[-1])
    dx, dz = (np.interp(at, place, tangent[:, k]) for k in range(2))
    ahead = along - at + past
    overlap = arch.overlap * np.clip(1 - np.abs(at) / OVERLAP_ENDS, 0, 1)
    return np.stack(
        [
            x + ahead * dx - outwards * dz,
            -arch.up * (down + overlap),
            arch.forward + z + ahead * dz + outwards * dx,
        ],
        axis=1,
    )


def _crown(crown: Crown) -> Mesh:
    """Return a crown in its own frame: distal, from the gum to the edge, outwards."""
    kind = {0: "edge", 1: "point"}.get(crown.cusps, "molar")
    share = np.clip(RINGS, 0, 1)
    turn = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    sine, cosine = np.sin(turn), np.cos(turn)
    round_ = (np.abs(sine) ** EXPONENT + np.abs(cosine) ** EXPONENT) ** (-1 / EXPONENT)
    u, w = sine * round_, cosine * round_
    lip, tongue = (
        crown.depth / 2 * np.interp(share, *side[kind]) for side in (LIP_SIDE, TONGUE_SIDE)
    )
    width = WIDER * crown.width / 2 * np.interp(share, *WIDTH[kind])
    across = (lip - tongue)[:, None] / 2 + (lip + tongue)[:, None] / 2 * w
    up = np.repeat(crown.height * RINGS[:, None], SEGMENTS, axis=1)
    if crown.cusps > 1:
        bumps = np.cos(crown.cusps * (turn - np.pi / 4)) if crown.cusps == 4 else np.cos(2 * turn)
        up[:2] += 0.5 * (bumps - 1) * np.array([[0.9], [0.4]])
    elif crown.cusps == 0:  # the outer corner is rounder
        up[0] -= 0.5 * np.maximum(u, 0) ** 3
    rings = np.stack([width[:, None] * u, up, across], axis=-1).reshape(-1, 3)
    middle = rings[:SEGMENTS].mean(axis=0) - (0, HOLLOW if crown.cusps > 1 else -0.1, 0)
    uv = np.stack(np.broadcast_arrays(turn / (2 * np.pi), np.clip(RINGS, 0, 1)[:, None]), axis=-1)
    faces = np.concatenate(
        [
            grid_faces(len(RINGS), SEGMENTS, closed=True),
            fan_faces(np.arange(SEGMENTS), len(rings)),
        ]
    )
    return np.vstack([rings, middle]), np.vstack([uv.reshape(-1, 2), [0.5, 1.0]]), faces
