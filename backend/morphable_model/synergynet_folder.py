"""Reader of the folder ``3dmm_data`` that SynergyNet's and 3DDFA's users have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.morphable_model.assembly import PublishedArrays, assemble
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.pickled_arrays import MAX_BYTES, read_pickled_arrays

SIGNATURE = "w_shp_sim.npy"
WHITENING_PATTERN = "param*.pkl"
# Names of the same two arrays in 3DDFA, SynergyNet and 3DDFA_V2.
WHITENING_KEYS = (("param_mean", "param_std"), ("mean", "std"))


def read_synergynet_folder(folder: Path) -> MorphableModel:
    """Return the model from ``keypoints_sim``, ``w_shp_sim``, ``w_exp_sim``, ``u_shp``, ``u_exp``
    (``.npy``)
    and the whitening (``param_whitening.pkl`` or another ``param*.pkl``).

    Other files of the folder (triangles, texture) are not read: the triangles follow from the mean.

    Raises
    ------
    BadInputError
        A file is missing, damaged, or of another model.
    """
    whitening_mean, whitening_std = _whitening(folder)
    return assemble(
        PublishedArrays(
            u_shp=_array(folder, "u_shp.npy"),
            u_exp=_array(folder, "u_exp.npy"),
            w_shp=_array(folder, SIGNATURE),
            w_exp=_array(folder, "w_exp_sim.npy"),
            keypoints=_array(folder, "keypoints_sim.npy"),
            parameter_mean=whitening_mean,
            parameter_std=whitening_std,
        )
    )


def _array(folder: Path, name: str) -> NDArray[Any]:
    path = folder / name
    try:
        # Mapped, because a header may claim any size: a map cannot be larger than its file.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise BadInputError(f"{folder} lacks {name}.", "Name SynergyNet's `3dmm_data`.") from None
    except Exception as error:  # NumPy parses the header as Python; damage raises nearly anything
        raise BadInputError(f"{path} is not a readable array ({error}).") from error
    if not isinstance(mapped, np.memmap):
        raise BadInputError(f"{path} is an archive, not an array.")
    return np.array(mapped)


def _whitening(folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    candidates = sorted(folder.glob(WHITENING_PATTERN), key=lambda p: "whitening" not in p.name)
    if not candidates:
        raise BadInputError(
            f"{folder} lacks the parameters' mean and spread (param_whitening.pkl).",
            "Name SynergyNet's `3dmm_data`.",
        )
    path = candidates[0]
    with path.open("rb") as file:
        arrays = read_pickled_arrays(file.read(MAX_BYTES + 1), str(path))
    for mean, std in WHITENING_KEYS:
        if mean in arrays and std in arrays:
            return arrays[mean], arrays[std]
    raise BadInputError(f"{path} holds {sorted(arrays)} instead of param_mean and param_std.")
