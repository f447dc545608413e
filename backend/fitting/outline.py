"""The jaw of a turned head: where its silhouette runs on the surface.

People who annotate photos put the far jaw's points on the visible outline, not on the jaw bone,
which a turned head hides. So every jaw landmark may move along a line on the surface, from its
own vertex towards the middle of the face, to where the line is seen furthest out ("landmark
marching", Zhu et al., "High-fidelity pose and expression normalization", CVPR 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]

N_JAW = 17
CANDIDATES = 48
# Millimetres: half the width of a line on the mean head, and how far it reaches inwards as seen
# from the front.
LINE_WIDTH = 0.8
LINE_REACH = 45.0


@dataclass(frozen=True)
class JawLines:
    """Where the 17 landmarks of the jaw may move.

    Attributes
    ----------
    vertices
        (17, K) int32 vertex indices from each landmark inwards; the first is the landmark itself.
    outward
        (17, 2) unit vectors out of the face, seen from the front (x right, y up).
    """

    vertices: NDArray[np.int32]
    outward: Float


def jaw_lines(model: MorphableModel) -> JawLines:
    """Cut the mean head by planes across the jaw, one through each landmark, parallel to z."""
    jaw = model.landmark_mean[:N_JAW].astype(np.float64)
    outward = _outward(jaw[:, :2])
    mean = model.mean.astype(np.float64)
    lines = [
        _line(mean, int(vertex), normal)
        for vertex, normal in zip(model.landmark_indices, outward, strict=False)
    ]
    return JawLines(np.array(lines, np.int32), outward)


def outermost(lines: JawLines, candidates: Float, up: Float) -> NDArray[np.intp]:
    """Choose where each landmark of the jaw is seen.

    Parameters
    ----------
    lines
        The lines.
    candidates
        (N, 17, K, 2) their vertices in N pictures, x right, y up.
    up
        (N, 2) direction of the head's y axis in the picture; the outline's sides turn with it.

    Returns
    -------
    (N, 17) index into K of the vertex that is furthest out.
    """
    x, y = (up / np.linalg.norm(up, axis=1, keepdims=True)).T
    turn = np.stack([np.stack([y, x], -1), np.stack([-x, y], -1)], 1)
    outward = lines.outward @ turn.swapaxes(1, 2)
    return np.einsum("njkd,njd->njk", candidates, outward).argmax(axis=2)


def _outward(jaw: Float) -> Float:
    """(17, 2) normals of the curve through the jaw, which runs from left to right."""
    tangent = np.gradient(jaw, axis=0)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)


def _line(mean: Float, vertex: int, outward: Float) -> NDArray[np.int32]:
    """(K,) vertices near the plane through a vertex spanned by its outward normal and z."""
    away = mean - mean[vertex]
    inwards = -away[:, :2] @ outward
    across = away[:, :2] @ np.array([-outward[1], outward[0]])
    near = (np.abs(across) < LINE_WIDTH) & (inwards >= 0) & (inwards < LINE_REACH)
    near &= away[:, 2] >= 0
    near[vertex] = True
    found = np.flatnonzero(near)
    # Along the surface both the way inwards and the way to the front grow.
    ordered = found[np.argsort(inwards[found] + away[found, 2], kind="stable")]
    spread = np.linspace(0, len(ordered) - 1, CANDIDATES).round().astype(int)
    return ordered[spread].astype(np.int32)
