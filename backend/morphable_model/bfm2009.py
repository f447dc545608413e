"""Colours of the Basel Face Model 2009, from its own file ``01_MorphableModel.mat``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from backend.errors import BadInputError
from backend.foreign.children import call_in_child
from backend.foreign.process import OverLimitError
from backend.foreign.wire import Answer
from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
from backend.morphable_model.model import N_TEXTURE, N_VERTICES, MorphableModel

BFM2009_VERTICES = 53_490
# Millimetres. The 53,215 vertices are a subset of BFM 2009's, so they coincide but for rounding.
MAX_RESIDUAL = 0.1
COLOUR_SCALE = 255.0
REMEDY = "Use `01_MorphableModel.mat` of the Basel Face Model 2009."

# SciPy's reader overflows its stack on cells within cells, so nothing else may be read by it.
_PLAIN = ("double", "single", "uint8", "int8", "uint16", "int16", "uint32", "int32")
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
            REMEDY,
        )
    return np.asarray(at)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of `_SHAPES`, read in a child process: SciPy was not made for files of enemies."""
    arguments = {"path": str(path)}
    try:
        reply = call_in_child(f"{__name__}:read_in_child", what=str(path), arguments=arguments)
    except OverLimitError as error:
        raise BadInputError(f"{path} cannot be read as a Matlab file.", REMEDY) from error
    return dict(zip(_SHAPES, reply.arrays, strict=True))


def read_in_child(path: str) -> Answer:
    """Read the arrays of `_SHAPES` in this process, real numbers all of them."""
    from scipy.io import loadmat, whosmat

    try:
        _check_content(whosmat(path), path)
        arrays = loadmat(path, variable_names=list(_SHAPES))
    except BadInputError:
        raise
    except NotImplementedError as error:
        raise BadInputError(
            f"{path} is a Matlab 7.3 file, which SynergyFace cannot read.",
            "Save it in Matlab by `save -v7`, or use the file as Basel published it.",
        ) from error
    except Exception as error:  # of damage, nearly anything: even of memory that a length asks for
        raise BadInputError(f"{path} is not a readable Matlab file ({error}).") from error
    found = [arrays[name] for name in _SHAPES]
    if any(array.dtype.kind not in "iuf" for array in found):
        raise BadInputError(f"The arrays of {path} are not of real numbers.", REMEDY)
    return Answer(arrays=[array.astype(array.dtype.newbyteorder("<")) for array in found])


def _check_content(found: list[tuple[str, tuple[int, ...], str]], path: str) -> None:
    """Refuse a file unless each of `_SHAPES` is in it once, a plain array of that shape."""
    for name, shape in _SHAPES.items():
        there = [(size, kind) for found_name, size, kind in found if found_name == name]
        if len(there) == 1 and there[0][0] == shape and there[0][1] in _PLAIN:
            continue
        if not there:
            what = "missing (or cut short)"
        elif len(there) > 1:
            what = f"there {len(there)} times"
        elif there[0][1] not in _PLAIN:
            what = f"of the class {there[0][1]}"
        else:
            what = f"of shape {there[0][0]}"
        raise BadInputError(
            f"In {path} the array {name} is {what}; BFM 2009 has it of shape {shape}.",
            f"{REMEDY} Models cut from it (BFM_model_front, BFM09_model_info, `bfm_noneck`) have "
            "other vertices.",
        )
