"""What a perfect tracker would find in a scene that we draw, and the file that keeps it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.fitting.surface_points import landmarks_of_shape
from backend.geometry.pose import Pose, rotation_from_euler
from backend.morphable_model.boxes import RoiBoxes
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.tracking.track import Track, TrackedClip
from backend.vision.clip import ClipInfo
from training.data.arrays import read_arrays
from training.evaluation.clips.scenarios import Person, Scene

Array = NDArray[np.floating]
Float = NDArray[np.float32]

CLIP_ARRAYS = ("times", "frames", "size", "frame_rate")
TRACK_ARRAYS = tuple(f.name for f in fields(Track) if f.name not in ("number", "texture"))


def truth_of(scene: Scene, model: MorphableModel, info: ClipInfo) -> TrackedClip:
    """Truth of a scene: confidence is 1 where somebody is drawn, and there are no textures."""
    tracks = tuple(_track(number, person, model) for number, person in enumerate(scene.people))
    return TrackedClip(info, scene.times, np.arange(len(scene.ticks)), tracks)


def write_truth(truth: TrackedClip, path: Path) -> None:
    """Write an ``.npz``: ``times`` (F,), ``frames`` (F,), ``size`` (width, height),
    ``frame_rate``, and the fields of `Track` with a first axis over people.
    """
    tracks = {
        name: np.stack([getattr(track, name) for track in truth.tracks]) for name in TRACK_ARRAYS
    }
    size = np.array([truth.info.width, truth.info.height])
    clip = (truth.times, truth.frames, size, np.array(truth.info.frame_rate))
    arrays: dict[str, Any] = dict(zip(CLIP_ARRAYS, clip, strict=True)) | tracks
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read_truth(path: Path) -> TrackedClip:
    """What `write_truth` wrote.

    Raises
    ------
    BadInputError
        There is no such file, or it holds something else.
    """
    arrays = read_arrays(path, CLIP_ARRAYS + TRACK_ARRAYS)
    times, frames, (width, height), frame_rate = (arrays[name] for name in CLIP_ARRAYS)
    info = ClipInfo(int(width), int(height), float(frame_rate), str(path))
    tracks = tuple(
        Track(number=number, **{name: arrays[name][number] for name in TRACK_ARRAYS})
        for number in range(len(arrays["confidence"]))
    )
    return TrackedClip(info, times, frames, tracks)


def _track(number: int, person: Person, model: MorphableModel) -> Track:
    rotation = np.stack([rotation_from_euler(*angles) for angles in person.angles])
    n = len(rotation)
    pose = Pose(rotation, person.scale, np.column_stack([person.place, np.zeros(n)]))
    alpha_exp = person.expression * model.expression_sigma
    alpha = np.column_stack([np.tile(person.alpha_shape, (n, 1)), alpha_exp])
    landmarks = posed_landmarks(model, person.alpha_shape, person.expression, pose)
    boxes = RoiBoxes.around(landmarks)
    values: dict[str, Array] = {
        "parameters": FaceParameters.of_image(pose, alpha, boxes).numbers,
        "roi_boxes": boxes.corners,
        "rotation": rotation,
        "scale": person.scale,
        "translation": pose.translation,
        "expression": person.expression,
        "landmarks": landmarks,
    }
    seen: dict[str, Any] = {name: _seen(array, person.present) for name, array in values.items()}
    return Track(
        number=number,
        alpha_shape=np.asarray(person.alpha_shape, np.float32),
        confidence=person.present.astype(np.float32),
        **seen,
    )


def posed_landmarks(
    model: MorphableModel, alpha_shape: Array, expression: Array, pose: Pose
) -> Array:
    """Place the landmarks of the mesh in the image frame.

    Parameters
    ----------
    alpha_shape
        (40,)
    expression
        (F, 10) standard deviations.
    pose
        F poses: rotations y up, translations in the image frame.

    Returns
    -------
    (F, 68, 3).
    """
    points = landmarks_of_shape(model, alpha_shape).at(expression)
    # The model is y-up, the image y-down.
    turned = points @ pose.linear.swapaxes(-1, -2) * [1, -1, 1]
    return turned + pose.translation[:, None]


def _seen(array: Array, present: NDArray[np.bool_]) -> Float:
    """The array with NaN where nobody is there."""
    seen = np.array(array, np.float32)
    seen[~present] = np.nan
    return seen
