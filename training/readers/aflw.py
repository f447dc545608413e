"""Readers of the public benchmarks' own files. They count pixels from 1, as Matlab does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from training.readers.annotations import Annotations, annotations_of, require_folder

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# Files that lie beside the landmarks in the authors' folder (and in 3DDFA's).
AFLW2000_BOXES, AFLW2000_POSE = "AFLW2000-3D_crop.roi_box.npy", "AFLW2000-3D.pose.npy"
# Pitch, yaw, roll of the photos that the orientation test counts, and the indices of the others.
AFLW2000_ANGLES, AFLW2000_SKIPPED = (
    "ALFW2000-3D_pose_3ANG_excl.npy",
    "ALFW2000-3D_pose_3ANG_skip.npy",
)
AFLW_BOXES, AFLW_YAWS, AFLW_POINTS = (
    "AFLW_GT_crop_roi_box.npy",
    "AFLW_GT_crop_yaws.npy",
    "AFLW_GT_pts21.npy",
)


def read_aflw2000(
    folder: Path,
    landmarks: Path,
    *,
    image_list: Path | None = None,
    boxes: Path | None = None,
    pose: Path | None = None,
    one_based: bool = True,
) -> Annotations:
    """Read AFLW2000-3D in the form of the authors' ``aflw2000_data/eval``.

    Parameters
    ----------
    folder
        The photos, whole or as the authors' crops of 120x120 pixels.
    landmarks
        ``AFLW2000-3D.pts68.npy`` (N, 3, 68) or ``AFLW2000-3D-Reannotated.pts68.npy`` (N, 2, 68).
    image_list
        A file with one name a line; by default the folder's images in order of their names.
    boxes
        (N, 4) roi boxes; by default `AFLW2000_BOXES` beside the landmarks.
    pose
        (N,) yaw or (N, 3) yaw, pitch, roll in degrees, or the authors' `AFLW2000_ANGLES` with
        `AFLW2000_SKIPPED` beside it; by default `AFLW2000_POSE` beside the landmarks.
    one_based
        Whether landmarks count pixels from 1.

    Raises
    ------
    BadInputError
        A file is missing, or their lengths disagree.
    """
    points = _array(landmarks, (-1, (2, 3), 68))
    images = _images(folder, image_list, len(points), landmarks)
    return annotations_of(
        images,
        points=points[:, :2].transpose(0, 2, 1) - float(one_based),
        boxes=_array(boxes or landmarks.with_name(AFLW2000_BOXES), (len(points), 4)),
        ypr=_angles(pose or landmarks.with_name(AFLW2000_POSE), len(points)),
        may_be_crops=True,
    )


def read_aflw(
    folder: Path,
    landmarks: Path,
    *,
    image_list: Path | None = None,
    boxes: Path | None = None,
    pose: Path | None = None,
    one_based: bool = True,
) -> Annotations:
    """Read AFLW with its 21 points in the form of 3DDFA's ``test.configs``.

    Parameters
    ----------
    landmarks
        ``AFLW_GT_pts68.npy`` (N, 2 or 3, 68), whose box normalises the error; beside it
        `AFLW_POINTS` (N, 2, 21) with -1 where a point is missing.

    See `read_aflw2000` for the rest.
    """
    points = _array(landmarks, (-1, (2, 3), 68))
    points21 = _array(landmarks.with_name(AFLW_POINTS), (len(points), (2, 3), 21))[:, :2]
    points21 = points21.transpose(0, 2, 1).astype(np.float64)
    points21[(points21 == -1).any(axis=2)] = np.nan
    return annotations_of(
        _images(folder, image_list, len(points), landmarks),
        points=points[:, :2].transpose(0, 2, 1) - float(one_based),
        points21=points21 - float(one_based),
        boxes=_array(boxes or landmarks.with_name(AFLW_BOXES), (len(points), 4)),
        ypr=_angles(pose or landmarks.with_name(AFLW_YAWS), len(points)),
        may_be_crops=True,
    )


def read_300w_lp(
    folder: Path, identity_of: Callable[[str], str], one_based: bool = True
) -> Annotations:
    """Read a folder of photos, each with a ``.mat`` beside it, as 300W-LP and AFLW2000-3D come.

    A ``.mat`` holds ``pt3d_68`` (2 or 3, 68) or ``pt2d`` (2, 68), and ``Pose_Para`` (7 numbers:
    pitch, yaw, roll in radians, translation, scale). Points at -1 are missing; a face with any
    missing is not measured by its landmarks.

    Raises
    ------
    BadInputError
        There is no such folder, no photo with a ``.mat``, or one that cannot be read.
    """
    require_folder(folder)
    images = [path for path in _sorted_images(folder) if path.with_suffix(".mat").is_file()]
    if not images:
        raise BadInputError(
            f"{folder} has no photo with a .mat beside it.", "Give a folder of 300W-LP."
        )
    read = [_read_mat(image.with_suffix(".mat")) for image in images]
    return annotations_of(
        images,
        identities=np.array([identity_of(image.name) for image in images], dtype=np.str_),
        points=np.stack([points for points, _ in read]) - float(one_based),
        ypr=np.stack([ypr for _, ypr in read]),
    )


def _read_mat(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(68, 2) points as they are, NaN where missing, and (3,) yaw, pitch, roll in degrees."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path)
    except (OSError, ValueError, TypeError, NotImplementedError, MatReadError) as error:
        raise BadInputError(f"Cannot read {path}: {error}.", "Copy it again.") from error
    points = np.full((68, 2), np.nan)
    for name in ("pt3d_68", "pt2d"):
        stored = np.asarray(content.get(name, np.empty(0)), np.float64)
        if stored.ndim == 2 and stored.shape[0] >= 2 and stored.shape[1] == 68:
            points = stored[:2].T.copy()
            points[(points == -1).any(axis=1)] = np.nan
            break
    ypr = np.full(3, np.nan)
    pose = np.asarray(content.get("Pose_Para", np.empty(0)), np.float64).ravel()
    if len(pose) >= 3:
        pitch, yaw, roll = np.degrees(pose[:3])
        ypr = np.array([yaw, pitch, roll])
    return points, ypr


def _array(path: Path, shape: tuple[int | tuple[int, ...], ...]) -> NDArray[np.floating]:
    """Numbers of an ``.npy`` whose shape is as given: -1 is any length, a tuple any of these."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"Cannot use {path}: {error}.", "Give the .npy file of the benchmark."
        ) from error
    allowed = [(s,) if isinstance(s, int) else s for s in shape]
    fits = isinstance(array, np.ndarray) and array.ndim == len(shape)
    if not fits or any(
        -1 not in a and n not in a for n, a in zip(array.shape, allowed, strict=True)
    ):
        raise BadInputError(f"{path} holds {np.shape(array)}, not {shape}.")
    return array


def _angles(path: Path, n: int) -> NDArray[np.float64] | None:
    """(N, 3) degrees, NaN where not known; None if there is no such file."""
    if not path.is_file():
        return None
    angles = np.full((n, 3), np.nan)
    if path.name == AFLW2000_ANGLES:
        skipped = _array(path.with_name(AFLW2000_SKIPPED), (-1,)).astype(int)
        kept = np.delete(np.arange(n), skipped)
        angles[kept] = _array(path, (len(kept), 3))[:, [1, 0, 2]]
        return angles
    try:
        stored = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadInputError(f"Cannot use {path}: {error}.") from error
    if stored.shape not in ((n,), (n, 3)):
        raise BadInputError(f"{path} holds {stored.shape}, not ({n},) or ({n}, 3).")
    angles[:, : 1 if stored.ndim == 1 else 3] = stored.reshape(n, -1)
    return angles


def _images(folder: Path, image_list: Path | None, n: int, landmarks: Path) -> list[Path]:
    require_folder(folder)
    if image_list is None:
        images = _sorted_images(folder)
    else:
        try:
            lines = image_list.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"Cannot read {image_list}: {error}.") from error
        images = [folder / line.strip() for line in lines if line.strip()]
    if len(images) != n:
        raise BadInputError(
            f"{landmarks} is about {n} photos, but {image_list or folder} has {len(images)}.",
            "Give the photos' list with --list.",
        )
    return images


def _sorted_images(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
