"""Annotated photos in one form, whatever files they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from training.data.arrays import read_arrays

Array = NDArray[np.floating]
Points = Literal["pts", "lm68_3d"]


@dataclass(frozen=True)
class Annotations:
    """What is known of N photos. Rows of NaN stand for what is not.

    Attributes
    ----------
    images
        (N,) of `Path`, the photos.
    names
        (N,) file names, by which predictions are found.
    identities
        (N,) who is shown.
    points
        (N, 68, 2) landmarks, 0-based image pixels.
    boxes
        (N, 4) x0, y0, x1, y1 of roi boxes in image pixels.
    ypr
        (N, 3) yaw, pitch, roll in degrees, 300W-LP's convention.
    parameters
        (N, 62) in the crop frame of `boxes`.
    points21
        (N, 21, 2) AFLW's points, 0-based image pixels.
    may_be_crops
        Whether an image of 120x120 pixels is the content of its box already.
    """

    images: NDArray[np.object_]
    names: NDArray[np.str_]
    identities: NDArray[np.str_]
    points: Array
    boxes: Array
    ypr: Array
    parameters: Array
    points21: Array
    may_be_crops: bool = False

    def __len__(self) -> int:
        return len(self.names)

    @property
    def has_aflw_points(self) -> bool:
        """Whether AFLW's 21 points are annotated."""
        return bool(np.isfinite(self.points21).any())

    def subset(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> Annotations:
        """Some of the photos."""
        return self._with(lambda name: getattr(self, name)[chosen])

    def _with(self, array: Callable[[str], NDArray]) -> Annotations:
        names = (field.name for field in fields(self) if field.name != "may_be_crops")
        return Annotations(**{name: array(name) for name in names}, may_be_crops=self.may_be_crops)


def annotations_of(
    images: list[Path],
    *,
    identities: NDArray[np.str_] | None = None,
    points: Array | None = None,
    boxes: Array | None = None,
    ypr: Array | None = None,
    parameters: Array | None = None,
    points21: Array | None = None,
    may_be_crops: bool = False,
) -> Annotations:
    """Annotations of images, with NaN for everything that is not given."""
    n = len(images)

    def full(array: Array | None, *shape: int) -> Array:
        return np.full((n, *shape), np.nan) if array is None else np.asarray(array, np.float64)

    names = np.array([image.name for image in images], dtype=np.str_)
    return Annotations(
        images=np.array(images, dtype=object),
        names=names,
        identities=names if identities is None else identities,
        points=full(points, 68, 2),
        boxes=full(boxes, 4),
        ypr=full(ypr, 3),
        parameters=full(parameters, 62),
        points21=full(points21, 21, 2),
        may_be_crops=may_be_crops,
    )


def joined(sets: list[Annotations]) -> Annotations:
    """Several sets as one.

    Raises
    ------
    BadInputError
        Two of them have a photo of the same name, so that predictions could not be told apart.
    """
    whole = sets[0]._with(lambda name: np.concatenate([getattr(each, name) for each in sets]))
    names, count = np.unique(whole.names, return_counts=True)
    if (count > 1).any():
        raise BadInputError(
            f"Several photos are named {names[count > 1][0]}.", "Measure their folders one by one."
        )
    return whole


def held_out(annotations: Annotations, one_in: int) -> Annotations:
    """Only people whom a training with the same `one_in` leaves out.

    Raises
    ------
    BadInputError
        There is none.
    """
    from training.data.held_out import are_held_out

    chosen = are_held_out(annotations.identities, one_in)
    if not chosen.any():
        raise BadInputError(
            "None of the people is held out.",
            "Check --identity: names of people come from it, and from them who is held out.",
        )
    return annotations.subset(chosen)


def read_npz(
    folder: Path,
    path: Path,
    identity_of: Callable[[str], str],
    one_based: bool = False,
    points: Points | None = None,
) -> Annotations:
    """Read our own format: annotated points, or the fits of `training.data.fitted_photos`.

    Parameters
    ----------
    folder
        The images.
    path
        ``.npz`` with ``names`` and ``pts`` (N, 68, 2 or 3) or ``lm68_3d`` (N, 68, 3); optional
        ``boxes`` (N, 4), ``ypr`` (N, 3), ``params`` (N, 62), ``identities`` (N,).
    identity_of
        From a file name to a person, where the file does not say.
    one_based
        Whether ``pts`` count pixels from 1 (``lm68_3d`` never do).
    points
        Which of the two to take; by default ``pts`` if there are any.

    Raises
    ------
    BadInputError
        The file lacks an array, shapes disagree, or there is no such folder.
    """
    require_folder(folder)
    arrays = read_arrays(path, ("names",))
    names = arrays["names"]
    kind = points or ("pts" if "pts" in arrays else "lm68_3d")
    if kind not in arrays:
        raise BadInputError(f"Cannot use {path}: it lacks {kind}.", "Give pts (N, 68, 2).")
    landmarks = arrays[kind]
    if landmarks.shape not in ((len(names), 68, 2), (len(names), 68, 3)):
        raise BadInputError(
            f"{path}: {kind} is {landmarks.shape}, not ({len(names)}, 68, 2 or 3).",
            "Give 68 points in iBUG order for every name.",
        )
    for name, width in (("boxes", 4), ("ypr", 3), ("params", 62)):
        if name in arrays and arrays[name].shape != (len(names), width):
            raise BadInputError(
                f"{path}: {name} is {arrays[name].shape}, not ({len(names)}, {width})."
            )
    parameters, ypr = arrays.get("params"), arrays.get("ypr")
    if ypr is None and parameters is not None:
        from training.evaluation.landmarks.angles import angles_of

        ypr = angles_of(parameters)
    identities = arrays.get("identities")
    if identities is None:
        identities = np.array([identity_of(str(name)) for name in names], dtype=np.str_)
    return annotations_of(
        [folder / str(name) for name in names],
        identities=identities,
        points=landmarks[..., :2] - (1.0 if one_based and kind == "pts" else 0.0),
        boxes=arrays.get("boxes"),
        ypr=ypr,
        parameters=parameters,
    )


def require_folder(folder: Path) -> None:
    """Raise `BadInputError` unless the folder is there."""
    if not folder.is_dir():
        raise BadInputError(f"There is no folder {folder}.", "Give the folder of the images.")
