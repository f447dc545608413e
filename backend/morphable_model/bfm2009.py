"""Colours of the Basel Face Model 2009, from its own file ``01_MorphableModel.mat``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from backend.errors import BadInputError
from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
from backend.morphable_model.model import N_TEXTURE, N_VERTICES, MorphableModel

BFM2009_VERTICES = 53_490
# Millimetres. The 53,215 vertices are a subset of BFM 2009's, so they coincide but for rounding.
MAX_RESIDUAL = 0.1
COLOUR_SCALE = 255.0

_SHAPES = {
    "shapeMU": (3 * BFM2009_VERTICES, 1),
    "texMU": (3 * BFM2009_VERTICES, 1),
    "texPC": (3 * BFM2009_VERTICES, N_TEXTURE),
    "texEV": (N_TEXTURE, 1),
}


def with_bfm2009_texture(model: MorphableModel, path: Path) -> MorphableModel:
    """The model with mean texture and 199 texture components.

    Vertices are matched by position: BFM 2009's mean is the model's without mean expression.

    Raises
    ------
    BadInputError
        The file is damaged, or of another model.
    """
    arrays = _read(path)
    theirs = arrays["shapeMU"].reshape(-1, 3) / MICROMETRES_PER_MILLIMETRE
    at = _match(model.mean - model.mean_expression, theirs, path)
    mean = arrays["texMU"].reshape(-1, 3)[at] / COLOUR_SCALE
    per_sigma = arrays["texPC"].reshape(-1, 3, N_TEXTURE)[at] * (
        arrays["texEV"].ravel() / COLOUR_SCALE
    ).astype(np.float32)
    return replace(
        model, mean_texture=mean.astype(np.float32), texture_basis=per_sigma.astype(np.float32)
    )


def _match(ours: NDArray[Any], theirs: NDArray[Any], path: Path) -> NDArray[np.intp]:
    """(V,) index of the vertex of BFM 2009 at the place of each of ours."""
    distance, at = KDTree(theirs).query(ours)
    if not distance.max() <= MAX_RESIDUAL or len(np.unique(at)) != N_VERTICES:
        raise BadInputError(
            f"The vertices of {path} are not those of this model: they lie up to "
            f"{distance.max():.2f} mm apart (at most {MAX_RESIDUAL} mm are allowed).",
            "Use `01_MorphableModel.mat` of the Basel Face Model 2009.",
        )
    return np.asarray(at)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    from scipy.io import loadmat, whosmat

    try:
        _check_shapes({name: shape for name, shape, _ in whosmat(str(path))}, path)
        return loadmat(str(path), variable_names=list(_SHAPES))
    except BadInputError:
        raise
    except NotImplementedError as error:
        raise BadInputError(
            f"{path} is a Matlab 7.3 file, which is not read.",
            "Save it in Matlab by `save -v7`, or use the file as Basel published it.",
        ) from error
    except Exception as error:  # scipy raises nearly anything on a damaged file
        raise BadInputError(f"{path} is not a readable Matlab file ({error}).") from error


def _check_shapes(found: dict[str, tuple[int, ...]], path: Path) -> None:
    for name, shape in _SHAPES.items():
        if found.get(name) != shape:
            what = f"of shape {found[name]}" if name in found else "missing (or cut short)"
            raise BadInputError(
                f"In {path} the array {name} is {what}; BFM 2009 has it of shape {shape}.",
                "Use `01_MorphableModel.mat` of the Basel Face Model 2009. Models cut from it "
                "(BFM_model_front, BFM09_model_info, `bfm_noneck`) have other vertices.",
            )
