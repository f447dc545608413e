"""Deltas of the 52 keys, of which only those vertices are kept that move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.exchange.expressions import EXPRESSION_NAMES

Float = NDArray[np.floating]
Int = NDArray[np.integer]

N_KEYS = len(EXPRESSION_NAMES)
# Millimetres below which a vertex does not move.
STILL = 0.02


@dataclass(frozen=True)
class KeyDeltas:
    """What the keys do to a head, in the order of `EXPRESSION_NAMES`.

    Attributes
    ----------
    offsets
        (53,) int64: key k has rows ``offsets[k]`` to ``offsets[k + 1]``.
    vertices
        (N,) int32, ascending within a key.
    deltas
        (N, 3) float32, millimetres in the model frame at 1.
    n_vertices
        Of the whole head.
    """

    offsets: Int
    vertices: Int
    deltas: Float
    n_vertices: int

    @classmethod
    def from_dense(
        cls, deltas: Iterable[Float], always: Mapping[str, Int] | None = None
    ) -> KeyDeltas:
        """Keep what moves.

        Parameters
        ----------
        deltas
            (V, 3) for each of the 52 keys.
        always
            By key, vertices that are kept even if they stay where they are.
        """
        counts, vertices, rows, n_vertices = [0], [], [], 0
        for name, delta in zip(EXPRESSION_NAMES, deltas, strict=True):
            moving = np.abs(delta).max(axis=1) > STILL
            moving[(always or {}).get(name, np.empty(0, np.int64))] = True
            kept = np.flatnonzero(moving).astype(np.int32)
            counts.append(len(kept))
            vertices.append(kept)
            rows.append(delta[kept].astype(np.float32))
            n_vertices = len(delta)
        return cls(np.cumsum(counts), np.concatenate(vertices), np.concatenate(rows), n_vertices)

    def rows(self, name: str) -> slice:
        """Rows of one key."""
        key = EXPRESSION_NAMES.index(name)
        return slice(int(self.offsets[key]), int(self.offsets[key + 1]))

    def key(self, name: str) -> tuple[Int, Float]:
        """(M,) vertices of one key and (M, 3) their deltas."""
        rows = self.rows(name)
        return self.vertices[rows], self.deltas[rows]

    def dense(self, name: str) -> Float:
        """(V, 3) deltas of one key."""
        delta = np.zeros((self.n_vertices, 3), np.float32)
        vertices, moved = self.key(name)
        delta[vertices] = moved
        return delta

    def with_deltas(self, deltas: Float) -> KeyDeltas:
        """The same vertices, moved otherwise."""
        return replace(self, deltas=deltas)

    def at(self, corners: Int, weights: Float) -> Float:
        """(52, P, 3) deltas of points of the surface: (P, 3) corners and barycentric weights."""
        points = np.zeros((N_KEYS, len(corners), 3), np.float32)
        for key, name in enumerate(EXPRESSION_NAMES):
            points[key] = np.einsum("pk,pkx->px", weights, self.dense(name)[corners])
        return points

    def expressed(self, neutral: Float, amounts: Float) -> Float:
        """A head with an expression.

        Parameters
        ----------
        neutral
            (V, 3) millimetres.
        amounts
            (52,) how much of each key.
        """
        head = neutral.astype(np.float32, copy=True)
        for key, name in enumerate(EXPRESSION_NAMES):
            if amounts[key]:
                vertices, moved = self.key(name)
                head[vertices] += np.float32(amounts[key]) * moved
        return head
