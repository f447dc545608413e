"""The texture's texels on the surface of the model: all that does not depend on a photo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from backend.geometry.rasterizer import rasterize
from backend.morphable_model.model import MorphableModel
from backend.texture.filters import sample

Float = NDArray[np.float32]


@dataclass(frozen=True)
class UvMap:
    """Where the texels of a square texture lie on the model.

    Attributes
    ----------
    size
        Texels on each side. Row 0 is v = 1; texel i covers u from i / size to (i + 1) / size.
    texel_from_vertex
        (size * size, V) sparse float32, the barycentric weights of each texel. Texels outside of
        the chart continue the nearest one inside, so that filters find no edge.
    inside
        (size, size) bool, texels on the surface.
    mirror_position
        (size, size, 2) float32, x and y in texels of the same place on the other side of the face.
    """

    size: int
    texel_from_vertex: sparse.csr_matrix
    inside: NDArray[np.bool_]
    mirror_position: Float

    @classmethod
    def of(cls, model: MorphableModel, size: int) -> UvMap:
        """Rasterise the model's chart."""
        corners = texel_position(model.uv, size)
        flat = np.concatenate([corners, np.zeros((len(corners), 1), np.float32)], axis=1)
        fragments = rasterize(flat, model.triangles, size, size, cull=False)
        inside = fragments.covered
        nearest = _nearest_inside(inside)
        weights = fragments.barycentric.reshape(-1, 3)[nearest]
        vertices = model.triangles[fragments.triangle.ravel()[nearest]]
        texel_from_vertex = sparse.csr_matrix(
            (weights.ravel(), vertices.ravel(), np.arange(0, 3 * size * size + 1, 3)),
            (size * size, len(model.uv)),
        )
        mirrored = texel_from_vertex @ corners[model.mirror_indices]
        return cls(size, texel_from_vertex, inside, mirrored.reshape(size, size, 2))

    def spread(self, attributes: Float) -> Float:
        """Return (V, C) attributes of the vertices to a (size, size, C) picture."""
        return (self.texel_from_vertex @ attributes).reshape(self.size, self.size, -1)

    def mirror(self, picture: Float) -> Float:
        """Carry a (size, size, ...) picture to the other side of the face."""
        return sample(picture, self.mirror_position)


def texel_position(uv: Float, size: int) -> Float:
    """Return (N, 2) texture coordinates to x (right), y (down) in texels, centres at integers."""
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1) * np.float32(size) - np.float32(0.5)


def _nearest_inside(inside: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return (size * size,) flat index of the nearest texel that is inside."""
    _, label = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label = np.asarray(label, np.intp)
    texel = np.zeros(label.max() + 1, np.intp)
    texel[label[inside]] = np.flatnonzero(inside)
    return texel[label.ravel()]
