"""The model put together from the arrays that 3DDFA and SynergyNet publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
from backend.morphable_model.mirror import mirror_indices
from backend.morphable_model.model import (
    N_EXPRESSION,
    N_LANDMARKS,
    N_PARAMETERS,
    N_SHAPE,
    N_TRIANGLES,
    N_VERTICES,
    MorphableModel,
)
from backend.morphable_model.topology import recover_grids, triangles_digest, triangles_from_grids
from backend.morphable_model.uv import flatten

TRIANGLES_SHA256 = "56b2606ded0fa2909b7163a8e8342df8754cfae4ce73b0d2b6658ccd9a3bd4c8"
MIDDLE_COLUMN = 176


@dataclass(frozen=True)
class PublishedArrays:
    """Arrays as the files hold them: micrometres, vertices interleaved x, y, z.

    Attributes
    ----------
    u_shp, u_exp
        (159645,) or (159645, 1), mean shape and mean expression; the mean head is their sum.
    w_shp, w_exp
        (159645, 40) and (159645, 10) bases.
    keypoints
        (204,) positions of the 68 landmarks' coordinates in the interleaved vertices.
    parameter_mean, parameter_std
        (62,) whitening, or longer (with texture coefficients at the end, which are dropped).
    """

    u_shp: NDArray[Any]
    u_exp: NDArray[Any]
    w_shp: NDArray[Any]
    w_exp: NDArray[Any]
    keypoints: NDArray[Any]
    parameter_mean: NDArray[Any]
    parameter_std: NDArray[Any]


def assemble(arrays: PublishedArrays) -> MorphableModel:
    """Return the model in millimetres, with triangles, texture coordinates and mirror map (takes a
    second).

    Raises
    ------
    BadInputError
        An array has another shape than 3DDFA's, is not finite, or the triangles recovered from
        the mean shape are not the published ones.
    """
    mean_expression = _interleaved(arrays.u_exp, 1, "u_exp")[0]
    mean = _interleaved(arrays.u_shp, 1, "u_shp")[0] + mean_expression
    basis = np.concatenate(
        [
            _interleaved(arrays.w_shp, N_SHAPE, "w_shp"),
            _interleaved(arrays.w_exp, N_EXPRESSION, "w_exp"),
        ]
    )
    grids = recover_grids(mean)
    triangles = triangles_from_grids(grids)
    if len(triangles) != N_TRIANGLES or triangles_digest(triangles) != TRIANGLES_SHA256:
        raise BadInputError(
            "The mean shape is not the one of 3DDFA's Basel Face Model: its triangles differ.",
            "Run `synergyface assets fetch`, or import SynergyNet's own `3dmm_data` folder.",
        )
    mirror = mirror_indices(grids)
    middle = grids.ring[[-1, 0], MIDDLE_COLUMN]
    return MorphableModel(
        mean=mean.astype(np.float32),
        mean_expression=mean_expression.astype(np.float32),
        basis=basis.astype(np.float32),
        triangles=triangles,
        uv=flatten(mean, triangles, mirror, (int(middle[0]), int(middle[1]))),
        landmark_indices=_landmark_indices(arrays.keypoints),
        mirror_indices=mirror,
        parameter_mean=_whitening(arrays.parameter_mean, "mean"),
        parameter_std=_whitening(arrays.parameter_std, "standard deviation"),
    )


def _interleaved(array: NDArray[Any], count: int, name: str) -> NDArray[np.float64]:
    """Return (count, V, 3) millimetres from (3V, count) micrometres."""
    if array.size != 3 * N_VERTICES * count or array.shape[0] != 3 * N_VERTICES:
        raise BadInputError(
            f"{name} has shape {array.shape} instead of ({3 * N_VERTICES}, {count}).",
            "Only 3DDFA's cut of the Basel Face Model fits (53,215 vertices); others, such as "
            "`bfm_noneck` with 38,365, have other vertices.",
        )
    _check_finite(array, name)
    columns = np.ascontiguousarray(array.reshape(3 * N_VERTICES, count).T, np.float64)
    return columns.reshape(count, N_VERTICES, 3) / MICROMETRES_PER_MILLIMETRE


def _landmark_indices(keypoints: NDArray[Any]) -> NDArray[np.int32]:
    flat = keypoints.ravel()
    if len(flat) != 3 * N_LANDMARKS or flat.min() < 0 or flat.max() >= 3 * N_VERTICES:
        raise BadInputError(
            f"The landmarks have shape {keypoints.shape} instead of ({3 * N_LANDMARKS},), "
            "or point outside the model."
        )
    return (flat[::3] // 3).astype(np.int32)


def _whitening(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    if values.ndim != 1 or len(values) < N_PARAMETERS:
        raise BadInputError(
            f"The parameters' {name} has shape {values.shape} instead of ({N_PARAMETERS},)."
        )
    _check_finite(values, f"The parameters' {name}")
    return values[:N_PARAMETERS].astype(np.float32)


def _check_finite(values: NDArray[Any], name: str) -> None:
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise BadInputError(f"{name} holds values that are not finite numbers.")
