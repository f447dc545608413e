"""3DDFA's training set: ``train_aug_120x120``, a list of its files, and their parameters.

The pictures are 120x120 crops; row i of ``param_all_norm.pkl`` (N, 62) holds the parameters of the
file in line i of the list, whitened (less ``param_mean``, over ``param_std``), in the crop frame
(y up, pixels from 1). Nothing is known beyond a crop, so the context around it is black when the
faces are packed, and augmentation that shifts or shrinks shows it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.morphable_model.boxes import CROP_SIZE, RoiBoxes
from backend.morphable_model.model import N_PARAMETERS, MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.morphable_model.pickled_arrays import read_pickled_array, read_pickled_arrays
from training.data.fitted_photos import FittedPhotos

MAX_BYTES = 2**30

# HELEN_Flip_HELEN_134212_1_3_8.jpg: set, mirrored, then 300W-LP's name with its view, then the
# number of the crop.
_IDENTITY = re.compile(r"^(?:[A-Za-z0-9]+_(?:Flip_)?)(?P<face>[A-Z]+_.+)_\d+_\d+$")


def read_tddfa(
    folder: Path,
    list_file: Path,
    parameters: Path,
    model: MorphableModel,
    whitening: Path | None = None,
) -> FittedPhotos:
    """Read 3DDFA's training set.

    Parameters
    ----------
    folder
        ``train_aug_120x120``.
    list_file
        Names of files in the folder, one a line, as ``train_aug_120x120.list.train``.
    parameters
        (N, 62) whitened parameters, ``.pkl`` or ``.npy``, as ``param_all_norm.pkl``.
    model
        The face model: 3D landmarks, and 3DDFA's whitening.
    whitening
        Another ``param_whitening.pkl`` (``param_mean``, ``param_std``) that belongs to the
        parameters.

    Raises
    ------
    BadInputError
        A file is missing or of another form, or list and parameters differ in length.
    """
    names = _names(folder, list_file)
    whitened = _array(parameters)
    if whitened.shape != (len(names), N_PARAMETERS):
        raise BadInputError(
            f"{parameters} has the shape {whitened.shape}, and {list_file} names {len(names)} "
            "files.",
            f"Give the list and the (N, {N_PARAMETERS}) parameters that belong together.",
        )
    mean, std = _whitening(whitening, model)
    unwhitened = whitened.astype(np.float64) * std + mean
    corners = np.tile(np.array([0, 0, CROP_SIZE, CROP_SIZE], np.float32), (len(names), 1))
    faces, boxes = FaceParameters(unwhitened), RoiBoxes.from_corners(corners)
    return FittedPhotos(
        source="3DDFA",
        folder=folder,
        names=np.array(names),
        identities=np.array([_identity(name) for name in names]),
        boxes=corners,
        parameters=unwhitened.astype(np.float32),
        landmarks=boxes.to_image(faces.landmarks(model)).astype(np.float32),
    )


def _identity(name: str) -> str:
    """The person in a file name: 300W-LP's face, whatever its view, crop or mirror image."""
    stem = Path(name).stem
    found = _IDENTITY.match(stem)
    return found["face"] if found else stem


def _names(folder: Path, list_file: Path) -> list[str]:
    try:
        names = list_file.read_text(encoding="utf-8").split()
        there = {path.name for path in folder.iterdir()}
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"Cannot read {list_file} or {folder}: {error}.", "Check their names."
        ) from error
    missing = [name for name in names if name not in there]
    if not names or missing:
        what = f"{len(missing)} files that are not in {folder}" if names else "no files"
        raise BadInputError(
            f"{list_file} names {what}{', such as ' + missing[0] if missing else ''}.",
            "Give the folder train_aug_120x120 and its list.",
        )
    return names


def _array(path: Path) -> NDArray[np.floating]:
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        return read_pickled_array(path.read_bytes(), str(path), MAX_BYTES)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"Cannot use {path}: {error}.", "Give 3DDFA's param_all_norm.pkl or an .npy."
        ) from error


def _whitening(
    path: Path | None, model: MorphableModel
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if path is None:
        mean, std = model.parameter_mean, model.parameter_std
    else:
        try:
            arrays = read_pickled_arrays(path.read_bytes(), str(path))
            mean, std = arrays["param_mean"], arrays["param_std"]
        except (OSError, KeyError) as error:
            raise BadInputError(
                f"Cannot use {path}: {error}.", "It must hold param_mean and param_std."
            ) from error
    if mean.shape != (N_PARAMETERS,) or std.shape != (N_PARAMETERS,):
        raise BadInputError(
            f"{path} whitens {mean.size} parameters.", f"{N_PARAMETERS} are needed."
        )
    return mean.astype(np.float64), std.astype(np.float64)
