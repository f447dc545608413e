"""Textures as a mean and a few directions: what 3DMM fitting does where we have a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from backend.morphable_model.model import MorphableModel
from backend.texture.blend import extend
from backend.texture.uv_map import UvMap

Float = NDArray[np.float32]

COMPONENTS = 199
# Times that texels which a photo does not show are filled from the components, and those anew.
ROUNDS = 2
# Of the light: standard deviation of each channel's gain.
GAIN_DEVIATION = 0.5
# Coefficients are found from every second texel in every second row.
STRIDE = 2


@dataclass(frozen=True)
class TexturePca:
    """A linear model of textures.

    Attributes
    ----------
    mean
        (S, S, 3) float32 RGB in [0, 1].
    components
        (K, S, S, 3) float32, colour per standard deviation.
    """

    mean: Float
    components: Float

    @classmethod
    def of(
        cls, textures: NDArray[np.uint8], masks: NDArray[np.uint8], count: int = COMPONENTS
    ) -> TexturePca:
        """Return principal components of textures that are only partly known.

        Unknown texels take the mean, then what the components say of them, in turns.

        Parameters
        ----------
        textures
            (N, S, S, 3).
        masks
            (N, S, S), 255 where they are known.
        count
            Components, fewer than N.

        Notes
        -----
        Iterative PCA, which is expectation-maximisation without noise (Roweis 1998).
        """
        known = masks[..., None] > 127
        data = textures.astype(np.float32) / np.float32(255)
        mean = _masked_mean(data, known)
        data = np.where(known, data, mean).reshape(len(data), -1)
        pixels = np.broadcast_to(known, textures.shape).reshape(data.shape)
        for _ in range(ROUNDS):
            centre, components, coefficients = _principal(data, count)
            data = np.where(pixels, data, coefficients @ components + centre)
        centre, components, _ = _principal(data, count)
        size = textures.shape[1:]
        return cls(centre.reshape(size), components.reshape(-1, *size))

    @classmethod
    def of_model(cls, model: MorphableModel, uv_map: UvMap) -> TexturePca | None:
        """Return the Basel Face Model's own, None if it has not been imported."""
        if model.mean_texture is None or model.texture_basis is None:
            return None
        columns = model.texture_basis.reshape(len(model.mean_texture), -1)
        spread = uv_map.spread(columns).reshape(uv_map.size, uv_map.size, 3, -1)
        components = np.ascontiguousarray(np.moveaxis(spread, -1, 0))
        return cls(uv_map.spread(model.mean_texture), components)

    def with_light(self) -> TexturePca:
        """Add three components: the mean's red, green and blue, brighter or darker."""
        gains = np.stack([self.mean * channel for channel in np.eye(3, dtype=np.float32)])
        components = np.concatenate([self.components, gains * np.float32(GAIN_DEVIATION)])
        return TexturePca(self.mean, components)

    def fit(self, picture: Float, weights: Float, ridge: float) -> Float:
        """Return the model's texture that is most like what is known of one.

        Parameters
        ----------
        picture
            (S, S, 3) RGB in [0, 1].
        weights
            (S, S) in [0, 1], how far each texel is known.
        ridge
            Weight of the sum of the coefficients' squares, beside the mean squared error of the
            known colours.

        Returns
        -------
        (S, S, 3) float32.
        """
        some = np.s_[::STRIDE, ::STRIDE]
        columns = self.components[:, *some].reshape(len(self.components), -1)
        known = np.repeat(weights[some].ravel(), 3)
        target = (picture - self.mean)[some].ravel()
        normal = (columns * known) @ columns.T
        normal += ridge * np.float32(known.sum()) * np.eye(len(columns), dtype=np.float32)
        coefficients = linalg.solve(normal, columns @ (known * target), assume_a="pos")
        return self.mean + np.tensordot(coefficients.astype(np.float32), self.components, 1)


def _masked_mean(data: Float, known: NDArray[np.bool_]) -> Float:
    """Return (S, S, 3) mean of what is known; texels that nobody shows continue their
    neighbours.
    """
    count = known.sum(axis=0, dtype=np.float32)
    mean = np.sum(data, axis=0, where=known) / np.maximum(count, 1)
    return extend(mean, np.minimum(count[..., 0], 1))


def _principal(data: Float, count: int) -> tuple[Float, Float, Float]:
    """Analyse (N, D) data: mean, (K, D) components per standard deviation, (N, K) coefficients."""
    last = len(data) - 1
    mean = data.mean(axis=0)
    centred = data - mean
    _, vectors = linalg.eigh(centred @ centred.T, subset_by_index=(len(data) - count, last))
    vectors = vectors.astype(np.float32)
    # A vector times the data is a unit direction times its singular value, which is its standard
    # deviation times sqrt(N - 1).
    scale = np.float32(np.sqrt(last))
    return mean, (vectors / scale).T @ centred, vectors * scale
