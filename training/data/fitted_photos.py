"""Fitted photos: a folder of images and one ``.npz`` that says where their faces are.

Every step of the data preparation takes such a set and gives one, so the steps can be chained in
any order. The file holds ``names``, ``boxes``, ``params`` and ``lm68_3d`` (see `FittedPhotos`);
``identities``, ``pts``, ``fit_nme``, ``outlier`` and ``mp478`` are optional.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.errors import BadInputError
from backend.morphable_model.boxes import RoiBoxes
from training.data.arrays import read_arrays

FITS_FILE = "fits.npz"
REQUIRED = ("names", "boxes", "params", "lm68_3d")
OPTIONAL = ("identities", "pts")


@dataclass(frozen=True)
class FittedPhotos:
    """Photos of one folder with fitted parameters.

    Attributes
    ----------
    source
        Name of the set.
    folder
        Where the images are.
    names
        (N,) file names.
    identities
        (N,) who is shown.
    boxes
        (N, 4) x0, y0, x1, y1 of the roi boxes in image pixels.
    parameters
        (N, 62) in the crop frame of the boxes.
    landmarks
        (N, 68, 3) image frame.
    points
        (N, 68, 2) annotated points, 0-based image pixels, NaN where there are none; or None.
    outliers
        How many more photos there were whose fits are marked as outliers.
    """

    source: str
    folder: Path
    names: NDArray[np.str_]
    identities: NDArray[np.str_]
    boxes: NDArray[np.float32]
    parameters: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    points: NDArray[np.float32] | None = None
    outliers: int = 0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def roi_boxes(self) -> RoiBoxes:
        """The boxes."""
        return RoiBoxes.from_corners(self.boxes)

    def subset(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> FittedPhotos:
        """Some of the photos."""
        return FittedPhotos(
            self.source,
            self.folder,
            self.names[chosen],
            self.identities[chosen],
            self.boxes[chosen],
            self.parameters[chosen],
            self.landmarks[chosen],
            None if self.points is None else self.points[chosen],
            self.outliers,
        )


def identity_pattern(pattern: str) -> Callable[[str], str]:
    """From a file name to a person: the first group of a regular expression, else the whole name.

    Raises
    ------
    BadInputError
        It is no regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadInputError(f"--identity is not a regular expression: {error}.") from error

    def identity_of(name: str) -> str:
        found = compiled.search(name)
        return (found.group(1) if found and found.groups() else None) or name

    return identity_of


def read_fitted_photos(
    folder: Path,
    fits: Path | None = None,
    annotations: Path | None = None,
    identity_of: Callable[[str], str] = lambda name: Path(name).stem,
    one_based: bool = False,
    keep_outliers: bool = False,
) -> FittedPhotos:
    """Read a set, without the photos that the model could not be fitted to.

    Parameters
    ----------
    folder
        The images.
    fits
        By default ``fits.npz`` in the folder.
    annotations
        An ``.npz`` with ``names`` and ``pts`` whose points take the place of the fit file's.
    identity_of
        From a file name to a person, where the fit file does not say.
    one_based
        Whether the annotations count pixels from 1.
    keep_outliers
        Whether photos stay whose fits are marked as outliers (``outlier``, see
        `training.data.fitting.Fits`).

    Raises
    ------
    BadInputError
        A file is missing or lacks an array, or an image that it names is not there.
    """
    fits = fits or folder / FITS_FILE
    fit = read_arrays(fits, REQUIRED)
    outlier = fit.pop("outlier", np.zeros(len(fit["names"]), bool)) & (not keep_outliers)
    fit = {name: fit[name][~outlier] for name in (*REQUIRED, *OPTIONAL) if name in fit}
    names = fit["names"]
    points = fit.get("pts")
    if annotations is not None:
        annotated = read_arrays(annotations, ("names", "pts"))
        row = {name: index for index, name in enumerate(annotated["names"])}
        require_one_face_each(annotations, annotated["names"], names)
        unknown = [name for name in names if name not in row]
        if unknown:
            raise BadInputError(
                f"{annotations} has no points for {len(unknown)} photos, such as {unknown[0]}.",
                "Give the annotation file that belongs to the fits.",
            )
        points = annotated["pts"][[row[name] for name in names]].astype(np.float32)
        points -= np.float32(one_based)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise BadInputError(
            f"{fits} names {len(missing)} images that are not in {folder}, such as {missing[0]}.",
            "Give the folder that holds the images.",
        )
    identities = fit.get("identities")
    if identities is None:
        identities = np.array([identity_of(str(name)) for name in names])
    return FittedPhotos(
        folder.name,
        folder,
        names,
        identities,
        fit["boxes"].astype(np.float32),
        fit["params"].astype(np.float32),
        fit["lm68_3d"].astype(np.float32),
        points,
        int(outlier.sum()),
    )


def outliers_note(sets: Iterable[FittedPhotos]) -> str:
    """What a command says of the photos that were left out of some sets; nothing if none was."""
    count = sum(photos.outliers for photos in sets)
    return f"; left out: {count} photos whose fits are outliers" if count else ""


def require_one_face_each(path: Path, listed: NDArray[np.str_], names: NDArray[np.str_]) -> None:
    """Check that each of some photos has one row in a file whose rows are found by name.

    Raises
    ------
    BadInputError
        One is listed several times: which of the rows is meant cannot be known.
    """
    listed_names, count = np.unique(listed, return_counts=True)
    several = np.intersect1d(listed_names[count > 1], names)
    if len(several):
        raise BadInputError(
            f"{path} has several rows for {len(several)} photos, such as {several[0]}.",
            "Rows are found by the photo's name: give one file for each folder, with one face of "
            "each photo.",
        )


def write_fits(photos: FittedPhotos, path: Path | None = None, **more: NDArray) -> Path:
    """Write the file of a set, by default into its folder; `more` are further arrays of N rows."""
    path = path or photos.folder / FITS_FILE
    arrays: dict[str, NDArray] = {
        "names": photos.names,
        "identities": photos.identities,
        "boxes": photos.boxes,
        "params": photos.parameters,
        "lm68_3d": photos.landmarks,
        **more,
    }
    if photos.points is not None:
        arrays["pts"] = photos.points
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # pyright: ignore[reportArgumentType]
    return path
