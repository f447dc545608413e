"""From a file of annotated points to a file of fits, see `training.data.fitted_photos`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from backend.errors import BadInputError
from backend.fitting.surface_points import jaw_outline, vertex_points
from backend.morphable_model.model import N_LANDMARKS, MorphableModel
from training.data.arrays import read_arrays
from training.data.fitted_photos import FittedPhotos, write_fits
from training.data.fitting import MIN_POINTS, Fits, FitSettings, fit
from training.data.mediapipe_points import N_MESH_POINTS, load_table, towards_viewer

Float = NDArray[np.floating]

# Which points are fitted: the 68 landmarks, their jaw on the silhouette or on the bone, or the
# points of MediaPipe's mesh.
Points = Literal["silhouette", "bone", "mesh"]


@dataclass(frozen=True)
class PointFile:
    """Points of N faces in photos of a folder.

    Attributes
    ----------
    names
        (N,) file names.
    landmarks
        (N, 68, 2) 0-based image pixels, NaN where there are none; or None.
    mesh
        (N, 478, 3) MediaPipe's points, 0-based image pixels, z to the viewer; or None.
    identities
        (N,) who is shown; or None.
    """

    names: NDArray[np.str_]
    landmarks: Float | None
    mesh: Float | None
    identities: NDArray[np.str_] | None

    def points(self, kind: Points) -> Float:
        """The points to fit.

        Raises
        ------
        BadInputError
            The file has none of this kind.
        """
        found = self.mesh if kind == "mesh" else self.landmarks
        if found is None:
            missing = "mp478" if kind == "mesh" else "pts"
            raise BadInputError(
                f"The file of points has no {missing}.", "Fit the other points that it has."
            )
        return found


@dataclass(frozen=True)
class Summary:
    """What was written, and what was left out with the reason."""

    fits: Fits
    skipped: dict[str, str]


def read_points(path: Path, one_based: bool) -> PointFile:
    """Read ``names`` with ``pts`` or ``mp478``, or both, and perhaps ``identities``.

    Parameters
    ----------
    path
        An ``.npz``.
    one_based
        Whether ``pts`` counts pixels from 1.

    Raises
    ------
    BadInputError
        The file cannot be read, or an array has another shape.
    """
    arrays = read_arrays(path, ("names",))
    landmarks, mesh = arrays.get("pts"), arrays.get("mp478")
    if landmarks is None and mesh is None:
        raise BadInputError(
            f"Cannot use {path}: it has neither pts nor mp478.",
            "Make one with `synergyface data annotate`.",
        )
    n = len(arrays["names"])
    shapes = {"pts": (n, N_LANDMARKS, 2), "mp478": (n, N_MESH_POINTS + 10, 3), "identities": (n,)}
    for name, shape in shapes.items():
        if name in arrays and arrays[name].shape != shape:
            raise BadInputError(
                f"Cannot use {path}: {name} has shape {arrays[name].shape} instead of {shape}.",
                "There must be one row for each of the names.",
            )
    return PointFile(
        arrays["names"],
        None if landmarks is None else landmarks.astype(np.float32) - np.float32(one_based),
        None if mesh is None else towards_viewer(mesh.astype(np.float32)),
        arrays.get("identities"),
    )


def fit_photos(
    model: MorphableModel,
    folder: Path,
    file: PointFile,
    output: Path,
    kind: Points,
    settings: FitSettings,
    identity_of: Callable[[str], str],
) -> Summary:
    """Fit the faces of a folder's photos and write the file of the set.

    Beside the arrays of `training.data.fitted_photos` it holds ``fit_nme`` (percent), ``ypr``
    (degrees), ``outlier`` and, where there are any, ``mp478``.
    """
    points = file.points(kind)
    skipped = _skipped(folder, file.names, points)
    chosen = np.flatnonzero([str(name) not in skipped for name in file.names])
    if len(chosen) == 0:
        raise BadInputError(
            f"None of the {len(file.names)} faces can be fitted.",
            next(iter(skipped.values()), "The file of points is empty.") + ".",
        )
    with tqdm(total=len(chosen), unit="face", disable=None) as bar:
        fits = _fit(model, points[chosen], kind, settings, bar.update)
    names = file.names[chosen]
    photos = FittedPhotos(
        source=folder.name,
        folder=folder,
        names=names,
        identities=np.array([identity_of(str(name)) for name in names])
        if file.identities is None
        else file.identities[chosen],
        boxes=fits.boxes,
        parameters=fits.parameters,
        landmarks=fits.landmarks,
        points=None if file.landmarks is None else file.landmarks[chosen].astype(np.float32),
    )
    more = {"fit_nme": fits.errors, "ypr": fits.angles, "outlier": fits.outliers}
    if file.mesh is not None:
        more["mp478"] = file.mesh[chosen].astype(np.float32)
    write_fits(photos, output, **more)
    return Summary(fits, skipped)


def _fit(
    model: MorphableModel,
    points: Float,
    kind: Points,
    settings: FitSettings,
    progress: Callable[[int], object],
) -> Fits:
    if kind == "mesh":
        table = load_table()
        points = points[:, np.flatnonzero(table.reliable)]
        settings = replace(settings, box="landmarks")
        return fit(model, table.surface(model), points, settings, progress=progress)
    jaw = jaw_outline(model) if kind == "silhouette" else None
    landmarks = vertex_points(model, model.landmark_indices)
    return fit(model, landmarks, points, settings, jaw, progress)


def _skipped(folder: Path, names: NDArray[np.str_], points: Float) -> dict[str, str]:
    """Why photos are left out, by name."""
    known = np.isfinite(points).all(axis=2).sum(axis=1)
    reasons: dict[str, str] = {}
    for name, count in zip(names.tolist(), known, strict=True):
        if not (folder / name).is_file():
            reasons[name] = "The photo is not in the folder"
        elif count < MIN_POINTS:
            reasons[name] = f"It has {count} points; {MIN_POINTS} are needed"
    return reasons
