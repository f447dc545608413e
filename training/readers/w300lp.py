"""300W-LP (Zhu et al. 2016): ``.jpg`` photos of 450 pixels with a ``.mat`` file beside each.

``Pose_Para`` (1, 7) is pitch, yaw, roll in radians, translation x, y, z and scale; ``Shape_Para``
(199, 1) and ``Exp_Para`` (29, 1) are coefficients of BFM 2009 and of its expression basis, in the
units of 3DDFA's bases (micrometres per unit). Vertices are ``V = scale R (mean + B alpha) + t`` in
Matlab's pixels with y up: pixel (x, y) of the image, counted from 1 and with y down, is
``(V_x, height + 1 - V_y)``.

Our model has 3DDFA's first 40 of the 199 and first 10 of the 29 coefficients; the others are left
out, so a face may lie a fraction of a pixel off its points.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from backend.errors import BadInputError
from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.boxes import CROP_SIZE, RoiBox, RoiBoxes
from backend.morphable_model.model import N_EXPRESSION, N_SHAPE, MorphableModel
from backend.morphable_model.parameters import FaceParameters
from training.data.fitted_photos import FittedPhotos

SHAPES = {"Pose_Para": 7, "Shape_Para": 199, "Exp_Para": 29, "pt2d": 136}

# The box whose crop is the upper left of a picture as it is.
TOP_LEFT = RoiBox.from_corners(0, 0, CROP_SIZE, CROP_SIZE)

# The last number of a file name tells the made view: AFW_134212_1_3.jpg is the third of that face.
_VIEW = re.compile(r"_\d+$")


class _Annotation(NamedTuple):
    """One ``.mat``: (62,) in the crop frame of `TOP_LEFT`, (68, 2) image frame."""

    parameters: NDArray[np.float64]
    points: NDArray[np.float64]


def read_300w_lp(folder: Path, model: MorphableModel) -> FittedPhotos:
    """Read 300W-LP, or some of its folders.

    Parameters
    ----------
    folder
        Holds ``AFW``, ``AFW_Flip``, ``HELEN``, ...; or is one of them.
    model
        The face model, which gives the 3D landmarks.

    Returns
    -------
    Photos whose names are paths in the folder. A face and its views and mirror images are one
    identity.

    Raises
    ------
    BadInputError
        There are no annotated photos, or a file cannot be used.
    """
    mats = sorted(path for path in folder.rglob("*.mat") if path.with_suffix(".jpg").is_file())
    if not mats:
        raise BadInputError(
            f"{folder} has no .jpg with a .mat of the same name beside it.",
            "Give the folder 300W_LP, or one in it, such as 300W_LP/AFW.",
        )
    annotations = [_read(path) for path in tqdm(mats, unit="file", disable=None)]
    faces = FaceParameters(np.stack([a.parameters for a in annotations]))
    landmarks = TOP_LEFT.to_image(faces.landmarks(model))
    boxes = RoiBoxes.around(landmarks)
    return FittedPhotos(
        source="300W-LP",
        folder=folder,
        names=np.array([path.with_suffix(".jpg").relative_to(folder).as_posix() for path in mats]),
        identities=np.array([_VIEW.sub("", path.stem) for path in mats]),
        boxes=boxes.corners.astype(np.float32),
        parameters=np.asarray(faces.in_box(TOP_LEFT, boxes).numbers, np.float32),
        landmarks=landmarks.astype(np.float32),
        points=np.stack([a.points for a in annotations]).astype(np.float32),
    )


def _read(path: Path) -> _Annotation:
    from scipy.io import loadmat

    try:
        content = loadmat(path, variable_names=list(SHAPES))
        arrays = {name: np.asarray(content[name], np.float64) for name in SHAPES}
        with Image.open(path.with_suffix(".jpg")) as image:
            height = image.height
    except Exception as error:  # a damaged .mat raises nearly anything
        raise _unusable(path, str(error)) from error
    for name, size in SHAPES.items():
        if arrays[name].size != size:
            raise _unusable(path, f"{name} has the shape {arrays[name].shape}")
    pitch, yaw, roll, *translation, scale = arrays["Pose_Para"].ravel()
    rotation = rotation_from_euler(*np.degrees([yaw, pitch, roll]))
    matrix = np.column_stack([scale * rotation, translation])
    # Pixels are counted from 1, as in a crop, and y from the picture's lower edge.
    matrix[1, 3] += CROP_SIZE - height
    shape, expression = (arrays[name].ravel() for name in ("Shape_Para", "Exp_Para"))
    numbers = [matrix.ravel(), shape[:N_SHAPE], expression[:N_EXPRESSION]]
    return _Annotation(np.concatenate(numbers), arrays["pt2d"].reshape(2, 68).T - 1)


def _unusable(path: Path, reason: str) -> BadInputError:
    return BadInputError(
        f"Cannot use {path}: {reason}.",
        "It must be an annotation of 300W-LP with Pose_Para, Shape_Para, Exp_Para and pt2d.",
    )
