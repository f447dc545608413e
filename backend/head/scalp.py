"""The skull's texture: the colours of the face's rim, carried on over the scalp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from backend.geometry.rasterizer import interpolate, rasterize
from backend.head.loops import smoothing
from backend.head.skull import SkullShape
from backend.texture.filters import sample
from backend.texture.uv_map import texel_position

Float = NDArray[np.floating]
Picture = NDArray[np.uint8]

SIZE = 256
# Millimetres along the rim over which its colours are smoothed: the face's texture ends there.
SMOOTH = 2.0
# Vertices of the skull are drawn to the rim's middling colour, so that it is even at the crown.
EVEN = 0.02
# Texels around the skull's chart take the colour of its edge.
BLEED = 4
# How much skin varies, in levels of 255, from texel to texel.
GRAIN = 2.0


class ScalpPainter:
    """Paints skulls; made once, because shape and equations are the same for everybody.

    Parameters
    ----------
    shape
        The skull.
    size
        Side of the textures.
    """

    def __init__(self, shape: SkullShape, size: int = SIZE) -> None:
        faces = shape.faces[:, :3].astype(np.int32)
        count, n = len(shape.rim), len(shape.uv)
        a, b = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
        ends = np.concatenate([a, b]), np.concatenate([b, a])
        links = sparse.coo_matrix((np.ones(2 * len(a)), ends), shape=(n, n)).tocsr()
        links.data[:] = 1
        degree = sparse.diags(np.asarray(links.sum(axis=1)).ravel())
        balance = (degree - links).tocsr()[count:]
        self._from_rim = balance[:, :count]
        even = EVEN * sparse.identity(n - count)
        self._solve = splu((balance[:, count:] + even).tocsc()).solve
        self._rim = shape.rim
        self._smooth = smoothing(shape.vertices[:count].astype(np.float64), SMOOTH)
        place = np.column_stack([texel_position(shape.uv, size), np.zeros(n)]).astype(np.float32)
        self._faces = faces
        self._fragments = rasterize(place, faces, size, size, cull=False)
        grain = np.random.default_rng(1).standard_normal((size, size, 1))
        self._grain = (GRAIN * grain).astype(np.float32)

    def paint(self, texture: Picture, uv: Float) -> Picture:
        """Paint the skull of a face.

        Parameters
        ----------
        texture
            (S, S, 3) RGB of the face, row 0 is v = 1.
        uv
            (V, 2) of the face.

        Returns
        -------
        (size, size, 3) RGB.
        """
        at = texel_position(uv[self._rim], len(texture)).astype(np.float32)
        rim = self._smooth @ sample(texture, at[None])[0]
        middling = np.median(rim, axis=0)
        behind = self._solve(EVEN * middling - self._from_rim @ rim)
        colors = np.concatenate([rim, behind])
        picture = interpolate(self._fragments, self._faces, colors)
        covered = self._fragments.covered
        picture = _bled(picture, covered, middling) + self._grain * covered[..., None]
        return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def _bled(picture: Float, covered: NDArray[np.bool_], rest: Float) -> NDArray[np.float32]:
    """Let the edge's colours go on outside; further out there is one colour."""
    import cv2

    weight = covered.astype(np.float32)
    blurred = cv2.GaussianBlur(picture, (0, 0), BLEED / 2)
    share = cv2.GaussianBlur(weight, (0, 0), BLEED / 2)[..., None]
    around = np.where(share > 1e-3, blurred / np.maximum(share, 1e-3), rest)
    return np.where(covered[..., None], picture, around).astype(np.float32)
