"""A data set from photos to what is packed, by one recipe: fit, profile, swap, draw heads.

A recipe is a YAML file, a list of sets under ``sets``; see ``training/configs/data/``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from backend.errors import BadInputError
from training.data.fitted_photos import FittedPhotos, identity_pattern, read_fitted_photos
from training.data.held_out import ONE_IN


@dataclass(frozen=True)
class PhotoSet:
    """One folder of photos and what becomes of it.

    Attributes
    ----------
    name
        Of the source in the pack; the made pictures are called ``NAME_views``, ``NAME_swap`` and
        ``NAME_heads``.
    photos
        Folder of images, relative to the recipe's root.
    fits
        ``.npz`` of fits, relative to the root; None fits the model to `points`.
    points
        ``.npz`` of annotated points (or MediaPipe's mesh), relative to the root.
    one_based
        Whether the points count pixels from 1.
    identity
        Regular expression whose first group is the person in a file name.
    views
        Profiled pictures of each photo.
    swaps
        Pictures of each photo with somebody else's skin.
    heads
        Heads drawn with each photo's skin and shape.
    keep_outliers
        Whether photos stay whose fits are marked as outliers.
    """

    name: str
    photos: Path
    fits: Path | None = None
    points: Path | None = None
    one_based: bool = False
    identity: str = r"^(.*)\.[^.]+$"
    views: int = 0
    swaps: int = 0
    heads: int = 0
    keep_outliers: bool = False


def read_recipe(path: Path, root: Path) -> list[PhotoSet]:
    """Return sets of a recipe, with their paths resolved.

    Raises
    ------
    BadInputError
        The file is no recipe.
    """
    import yaml

    known = {field.name for field in fields(PhotoSet)}
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["sets"]
        for entry in entries:
            unknown = set(entry) - known
            if unknown:
                raise ValueError(f"it has the unknown entry {sorted(unknown)[0]}")
        return [PhotoSet(**_resolved(entry, root)) for entry in entries]
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise BadInputError(
            f"Cannot use the recipe {path}: {error}.",
            "It needs a list `sets`, each with name, photos, and fits or points.",
        ) from error


def made_sets(
    sets: list[PhotoSet], target: Path, workers: int, one_in: int = ONE_IN
) -> list[FittedPhotos]:
    """Make all pictures of a recipe, to be packed: the photos, and what is rendered from them.

    Every step takes up its work where it was interrupted. One person in `one_in` is held out of the
    training; see `training.data.face_swap.SwapRenderer`.
    """
    return [photos for entry in sets for photos in _made(entry, target, workers, one_in)]


def fitted_sets(sets: list[PhotoSet], target: Path) -> list[FittedPhotos]:
    """Return the photos of a recipe with their fits; fits that are made go to ``TARGET/fits``."""
    return [replace(_fitted(entry, target), source=entry.name) for entry in sets]


def _made(entry: PhotoSet, target: Path, workers: int, one_in: int) -> Iterator[FittedPhotos]:
    """Yield the photos of a set, then the pictures rendered from them."""
    from training.data.drawn_heads import HeadRenderer
    from training.data.face_swap import SwapRenderer
    from training.data.profiling.views import ProfileRenderer
    from training.data.rendered_views import render_views

    (photos,) = fitted_sets([entry], target)
    yield photos
    jobs = (
        ("views", "profile", entry.views, ProfileRenderer(entry.views)),
        ("swap", "swap", entry.swaps, SwapRenderer(entry.swaps, one_in=one_in)),
        ("heads", "heads", entry.heads, HeadRenderer(entry.heads)),
    )
    for suffix, step, count, renderer in jobs:
        if count:
            folder = target / f"{entry.name}_{suffix}"
            render_views(photos, renderer, folder, step, workers)
            yield read_fitted_photos(folder)


def _fitted(entry: PhotoSet, target: Path) -> FittedPhotos:
    identity_of = identity_pattern(entry.identity)
    if entry.fits is not None:
        return read_fitted_photos(
            entry.photos,
            entry.fits,
            entry.points,
            identity_of,
            entry.one_based,
            entry.keep_outliers,
        )
    fits = target / "fits" / f"{entry.name}.npz"
    if not fits.is_file():
        _fit(entry, fits)
    return read_fitted_photos(
        entry.photos, fits, identity_of=identity_of, keep_outliers=entry.keep_outliers
    )


def _fit(entry: PhotoSet, fits: Path) -> None:
    from backend.morphable_model.storage import load_model
    from training.data.fit_photos import fit_photos, read_points
    from training.data.fitting import FitSettings

    if entry.points is None:
        raise BadInputError(
            f"The set {entry.name} has neither fits nor points.",
            "Make points with `synergyface data annotate`.",
        )
    points = read_points(entry.points, entry.one_based)
    kind = "silhouette" if points.mesh is None else "mesh"
    identity_of = identity_pattern(entry.identity)
    fit_photos(load_model(), entry.photos, points, fits, kind, FitSettings(), identity_of)


def _resolved(entry: dict[str, Any], root: Path) -> dict[str, Any]:
    paths = {key: root / entry[key] for key in ("photos", "fits", "points") if entry.get(key)}
    return {**entry, **paths}
