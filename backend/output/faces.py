"""Files of reconstructed faces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.answers.faces import face_pose
from backend.data_folder import atomic_path
from backend.head.dressed import HeadMaker
from backend.morphable_model.boxes import CROP_SIZE
from backend.morphable_model.model import MorphableModel
from backend.output.mesh_files import export_head
from backend.output.preview import preview_sheet
from backend.pipeline import Face


def face_record(face: Face, directory: Path) -> dict[str, Any]:
    """Return what the command line prints of a face, and ``params.json`` holds.

    Lengths are image pixels; ``params`` are the 62 parameters in the 120x120 crop of ``roi_box``.
    """
    pose = face_pose(face.pose)
    return {
        "directory": str(directory),
        "roi_box": list(face.roi_box.corners),
        "landmarks": face.landmarks.tolist(),
        "landmarks_coarse": face.landmarks_coarse.tolist(),
        "pose": {
            "yaw": pose.yaw,
            "pitch": pose.pitch,
            "roll": pose.roll,
            "scale": pose.scale,
            "translation": list(pose.translation),
        },
        "expression": face.expression.tolist(),
        "params": face.parameters.tolist(),
        "crop_size": CROP_SIZE,
        **({"remark": face.remark} if face.remark else {}),
    }


def write_faces(
    home: Path,
    faces: Sequence[Face],
    photo: NDArray[np.uint8],
    model: MorphableModel,
    preview: bool = False,
    shown: Path | None = None,
    maker: HeadMaker | None = None,
) -> list[dict[str, Any]]:
    """Write the faces of a photo: one into `home`, several into folders in it.

    Parameters
    ----------
    preview
        Whether to draw pictures of them, too.
    shown
        Where the records say that they are; None says `home`.
    maker
        Makes whole heads of the faces; None writes the faces alone.

    Raises
    ------
    BadInputError
        A folder cannot be written to.
    """
    names = ["."] if len(faces) == 1 else [f"face_{number}" for number in range(len(faces))]
    return [
        write_face(home / name, face, photo, model, preview, (shown or home) / name, maker)
        for name, face in zip(names, faces, strict=True)
    ]


def write_face(
    directory: Path,
    face: Face,
    photo: NDArray[np.uint8],
    model: MorphableModel,
    preview: bool = False,
    shown: Path | None = None,
    maker: HeadMaker | None = None,
) -> dict[str, Any]:
    """Write head, texture and parameters; returns the record.

    That of a whole head also holds ``amounts``, the photo's expression in the named keys.

    Raises
    ------
    BadInputError
        The directory cannot be written to.
    """
    if face.texture is None:
        raise ValueError("The face has no texture to write.")
    record = face_record(face, shown or directory)
    whole = maker.of_face(face) if maker else None
    if whole is not None:
        record["amounts"] = dict(whole.amounts)
    export_head(directory, face.head, model, face.texture, whole=whole)
    if preview:
        from PIL import Image

        with atomic_path(directory / "preview.png") as path:
            Image.fromarray(preview_sheet(photo, face, model, whole)).save(path)
    with atomic_path(directory / "params.json") as path:
        path.write_text(json.dumps(record), encoding="utf-8")
    return record
