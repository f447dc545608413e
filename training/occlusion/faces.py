"""Unwrapped photos of uncovered faces, as the backend unwraps them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from backend.data_folder import atomic_path
from backend.errors import BadInputError, SynergyFaceError
from backend.morphable_model.model import MorphableModel
from backend.pipeline import FaceReconstructor
from backend.texture.baker import to_bytes
from backend.texture.covers.finding import SIZE
from backend.texture.unwrap import unwrap
from backend.texture.uv_map import UvMap, texel_position
from backend.texture.visibility import visibility
from backend.vision.images import read_image
from training.occlusion.drawing import Places
from training.occlusion.samples import Faces


def unwrap_photos(photos: Iterable[Path], reconstructor: FaceReconstructor) -> Faces:
    """Unwrap the largest face of each photo; photos without one are left out.

    Raises
    ------
    BadInputError
        No photo shows a face.
    """
    model = reconstructor.model
    uv_map = UvMap.of(model, SIZE)
    textures, seen = [], []
    for photo in tqdm(list(photos), unit="photo", disable=None):
        try:
            image = read_image(photo)
            (face,) = reconstructor.faces_from_image(image, which="largest", texture_size=None)
        except SynergyFaceError:
            continue
        visible = visibility(face.vertices_image, model, image.shape[:2])
        textures.append(to_bytes(unwrap(image, face.vertices_image, uv_map)))
        seen.append(to_bytes(uv_map.spread(visible[:, None])[..., 0]))
    if not textures:
        raise BadInputError("No photo shows a face.", "Give a folder of portraits.")
    return Faces(np.stack(textures), np.stack(seen))


def places_of(model: MorphableModel) -> Places:
    """Where the parts of a face lie in the network's chart."""
    return Places(texel_position(model.uv[model.landmark_indices], SIZE), SIZE)


def save_faces(faces: Faces, path: Path) -> None:
    """Write unwrapped faces; see `load_faces`."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, textures=faces.textures, seen=faces.seen)


def load_faces(path: Path) -> Faces:
    """Read unwrapped faces.

    Raises
    ------
    BadInputError
        The file is absent, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Faces(stored["textures"], stored["seen"])
    except (OSError, ValueError, LookupError) as error:
        raise BadInputError(
            f"{path} holds no unwrapped faces: {error}.",
            "Make them with `python -m training.occlusion faces`.",
        ) from error
