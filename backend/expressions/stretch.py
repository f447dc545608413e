"""How a person's face is stretched against the mean one, in the neighbourhood of every vertex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import KDTree

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Millimetres: how far nodes are apart, and the standard deviation of their neighbourhoods.
SPACING, NEIGHBOURHOOD = 9.0, 11.0
# Vertices of a neighbourhood that are looked at (one of so many), and nodes that a vertex lies in.
SAMPLES, SKIP, NODES = 64, 25, 4
# What a neighbourhood does not tell (along its normal) is as in the whole face.
PRIOR = 0.15


@dataclass(frozen=True)
class LocalStretch:
    """Prepared on the mean face.

    Attributes
    ----------
    samples, factors
        (K, S) vertices of each node's neighbourhood, and (K, S, 3) float32 such that the sum of
        ``place * factor`` is the stretch.
    prior
        (K, 3, 3) float32, by which the whole face's stretch comes in.
    whole
        (S', ) vertices and (S', 3) float32 factors of the whole face's stretch.
    nodes, weights
        (V, 4) int32 and float32: nodes between which a vertex interpolates.
    """

    samples: Int
    factors: Float
    prior: Float
    whole: Int
    whole_factors: Float
    nodes: Int
    weights: Float

    def of(self, neutral: Float) -> Float:
        """(V, 3, 3) float32 linear maps from the mean face to a neutral one (V, 3)."""
        overall = neutral[self.whole].T @ self.whole_factors
        maps = np.einsum("ksi,ksj->kij", neutral[self.samples], self.factors)
        maps += overall @ self.prior
        n = len(self.nodes)
        interpolate = sparse.csr_matrix(
            (self.weights.ravel(), self.nodes.ravel(), np.arange(0, 4 * n + 1, NODES)),
            (n, len(maps)),
        )
        return (interpolate @ maps.reshape(-1, 9)).reshape(n, 3, 3)


def make_local_stretch(rest: Float, moving: Int) -> LocalStretch:
    """Prepare the mean face.

    Parameters
    ----------
    rest
        (V, 3) millimetres.
    moving
        Vertices that some key moves; the others get the stretch of the nearest.
    """
    rest = rest.astype(np.float64)
    places = rest[moving]
    nodes = places[_spread(places, SPACING)]
    tree = KDTree(places)
    near = np.asarray(tree.query(nodes, k=min(len(places), SKIP * SAMPLES))[1])[:, ::SKIP]
    samples = moving[near]
    around = rest[samples]
    weight = np.exp(-0.5 * ((around - nodes[:, None]) ** 2).sum(axis=-1) / NEIGHBOURHOOD**2)
    weight /= weight.sum(axis=1, keepdims=True)
    inverse, factors = _factors(around, weight)
    whole = moving[:: max(1, len(moving) // 500)]
    _, whole_factors = _factors(rest[whole][None], np.full((1, len(whole)), 1 / len(whole)), 0.0)
    distance, close = (np.asarray(a) for a in KDTree(nodes).query(rest, k=NODES))
    mix = np.exp(-0.5 * (distance / SPACING) ** 2) + 1e-9
    return LocalStretch(
        samples.astype(np.int32),
        factors.astype(np.float32),
        inverse.astype(np.float32),
        whole.astype(np.int32),
        whole_factors[0].astype(np.float32),
        close.astype(np.int32),
        (mix / mix.sum(axis=1, keepdims=True)).astype(np.float32),
    )


def _factors(around: Float, weight: Float, prior: float = PRIOR) -> tuple[Float, Float]:
    """What the prior is multiplied by, and the factors of the neighbourhoods' vertices."""
    centred = around - np.einsum("ks,ksi->ki", weight, around)[:, None]
    spread = np.einsum("ks,ksi,ksj->kij", weight, centred, centred)
    held = prior * np.trace(spread, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    inverse = np.linalg.inv(spread + held)
    return held @ inverse, np.einsum("ks,ksi,kij->ksj", weight, centred, inverse)


def _spread(points: Float, spacing: float) -> Int:
    """Indices of points of which no two are nearer than `spacing`, in their order."""
    tree = KDTree(points)
    free = np.ones(len(points), bool)
    chosen = []
    for index in range(len(points)):
        if free[index]:
            chosen.append(index)
            free[tree.query_ball_point(points[index], spacing)] = False
    return np.array(chosen)
