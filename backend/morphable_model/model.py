"""The Basel Face Model in 3DDFA's form: 53,215 vertices, 40 shape, 10 expression coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.mouth import mouth_cover

N_VERTICES = 53_215
N_TRIANGLES = 105_840
N_LANDMARKS = 68
N_POSE = 12
N_SHAPE = 40
N_EXPRESSION = 10
N_TEXTURE = 199
N_PARAMETERS = N_POSE + N_SHAPE + N_EXPRESSION
# Landmarks of the inner lips that face each other.
UPPER_LIP, LOWER_LIP = [61, 62, 63], [67, 66, 65]

Float = NDArray[np.float32]
Int = NDArray[np.int32]


@dataclass(frozen=True)
class MorphableModel:
    """Arrays of the model. Lengths are millimetres in the model frame.

    The model frame is right-handed: +x to the image's right (the subject's left), +y up, +z out
    of the face, origin inside the head. Coefficients are those of the 62 parameters, not whitened.

    Attributes
    ----------
    mean
        (V, 3) float32, with the mean expression.
    mean_expression
        (V, 3) float32; `mean` less this is the mean head of BFM 2009.
    basis
        (50, V, 3) float32, millimetres per unit of `alpha_shape` (the first 40) and `alpha_exp`.
        Coefficients come first because a head is then one fast matrix product.
    triangles
        (T, 3) int32, anticlockwise seen from outside.
    uv
        (V, 2) float32 in [0, 1], u right, v up; one chart without a seam.
    landmark_indices
        (68,) int32, iBUG-68 order.
    mirror_indices
        (V,) int32: the vertex on the other side of the face (itself where it has no partner).
    parameter_mean, parameter_std
        (62,) float32, the whitening of 300W-LP's parameters; ``[12:]`` are the spreads of the
        coefficients in that data set.
    mean_texture
        (V, 3) float32 RGB in [0, 1], or None unless BFM 2009's own file was imported.
    texture_basis
        (V, 3, 199) float32 RGB per standard deviation, or None likewise.
    """

    mean: Float
    mean_expression: Float
    basis: Float
    triangles: Int
    uv: Float
    landmark_indices: Int
    mirror_indices: Int
    parameter_mean: Float
    parameter_std: Float
    mean_texture: Float | None = None
    texture_basis: Float | None = None

    @property
    def shape_sigma(self) -> Float:
        """(40,) standard deviations of `alpha_shape`."""
        return self.parameter_std[N_POSE : N_POSE + N_SHAPE]

    @property
    def expression_sigma(self) -> Float:
        """(10,) standard deviations of `alpha_exp`."""
        return self.parameter_std[N_POSE + N_SHAPE :]

    @property
    def expression_basis(self) -> Float:
        """(V, 3, 10) view of `basis`, millimetres per unit of `alpha_exp`."""
        return np.moveaxis(self.basis[N_SHAPE:], 0, -1)

    def vertices(
        self, alpha_shape: Float, alpha_exp: Float | None = None, out: Float | None = None
    ) -> Float:
        """Return the head with the given coefficients, without pose.

        Parameters
        ----------
        alpha_shape
            (40,) float32.
        alpha_exp
            (10,) float32; None is the neutral face.
        out
            (V, 3) float32, contiguous, to be written to in place of a new array. Where one head
            follows another, that saves the time for fresh memory.

        Returns
        -------
        (V, 3) float32, millimetres in the model frame.
        """
        alpha = alpha_shape if alpha_exp is None else np.concatenate([alpha_shape, alpha_exp])
        columns = self.basis[: len(alpha)].reshape(len(alpha), -1)
        vertices = np.empty_like(self.mean) if out is None else out
        np.matmul(alpha.astype(np.float32, copy=False), columns, out=vertices.reshape(-1))
        vertices += self.mean
        return vertices

    def expressed(self, neutral: Float, alpha_exp: Float) -> Float:
        """Return a neutral head with an expression, in less time than from all coefficients.

        Parameters
        ----------
        neutral
            (V, 3) float32, as `vertices` makes it.
        alpha_exp
            (10,) float32.

        Returns
        -------
        (V, 3) float32, millimetres in the model frame.
        """
        columns = self.basis[N_SHAPE:].reshape(len(alpha_exp), -1)
        head = np.matmul(alpha_exp.astype(np.float32, copy=False), columns).reshape(-1, 3)
        head += neutral
        return head

    @cached_property
    def mouth(self) -> Int:
        """(M, 3) triangles that close the slit between the lips; see `mouth_cover`."""
        return mouth_cover(self.mean, self.triangles)

    @cached_property
    def landmark_mean(self) -> Float:
        """(68, 3) mean positions of the landmarks."""
        return self.mean[self.landmark_indices]

    @cached_property
    def landmark_basis(self) -> Float:
        """(68, 3, 50): shape then expression."""
        return np.ascontiguousarray(np.moveaxis(self.basis[:, self.landmark_indices], 0, -1))
