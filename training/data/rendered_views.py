"""Pictures rendered from fitted photos, several from each: a resumable job over all cores.

A job is cut into parts of a few photos. A part is done when its labels are on disk, so a job that
was interrupted goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from backend.data_folder import atomic_path, require_writable
from backend.morphable_model.boxes import RoiBox
from training.data.fitted_photos import FITS_FILE, FittedPhotos, write_fits
from training.data.manifest import write_manifest
from training.data.workers import worker_pool

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

MANIFEST = "fits.manifest.json"
PHOTOS_PER_PART = 32
JPEG_QUALITY = 95


@dataclass(frozen=True)
class View:
    """A rendered picture of one face.

    Attributes
    ----------
    suffix
        What its file name adds to the photo's.
    picture
        (S, S, 3) uint8 RGB.
    box
        Upright roi box in the picture.
    parameters
        (62,) in the crop frame of the box.
    landmarks
        (68, 3) image frame of the picture.
    angles
        Yaw, pitch, roll in degrees.
    """

    suffix: str
    picture: Image
    box: RoiBox
    parameters: Float
    landmarks: Float
    angles: tuple[float, float, float]


Renderer = Callable[[FittedPhotos, int], list[View]]


def render_views(
    photos: FittedPhotos, renderer: Renderer, target: Path, step: str, workers: int
) -> int:
    """Render all photos of a set into a folder that is a set itself; returns the number of views.

    Parameters
    ----------
    photos
        The photos.
    renderer
        From the set and the index of a photo to views; must be picklable.
    target
        Folder to fill.
    step
        Name of the job, for the manifest.
    workers
        Processes.
    """
    require_writable(target)
    digest = _digest(photos, renderer)
    count = _finished(target, digest)
    if count is not None:
        return count
    parts = target / "parts" / digest
    chunks = np.array_split(np.arange(len(photos)), max(1, round(len(photos) / PHOTOS_PER_PART)))
    paths = [parts / f"{number:05d}.npz" for number in range(len(chunks))]
    waiting = [(c, p) for c, p in zip(chunks, paths, strict=True) if not p.is_file()]
    work = partial(_render_part, photos, renderer, target)
    with (
        worker_pool(workers, cv2.setNumThreads, 1) as pool,
        tqdm(total=len(photos), unit="photo", desc=step, disable=None) as bar,
    ):
        bar.update(len(photos) - sum(len(c) for c, _ in waiting))
        for count in pool.map(work, *zip(*waiting, strict=True)) if waiting else ():
            bar.update(count)
    count = _join(photos, paths, target)
    write_manifest(target / FITS_FILE, step, {"photos": len(photos), "views": count}, digest=digest)
    shutil.rmtree(target / "parts")
    return count


def _finished(target: Path, digest: str) -> int | None:
    """Number of views, if the very same job has filled the folder already."""
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        same = manifest["digest"] == digest and (target / FITS_FILE).is_file()
        return int(manifest["counts"]["views"]) if same else None
    except (OSError, ValueError, KeyError):
        return None


def _digest(photos: FittedPhotos, renderer: Renderer) -> str:
    """Of what a job depends on, so that another job does not take its parts over."""
    digest = hashlib.sha256(repr((photos.folder, renderer)).encode())
    for array in (photos.names, photos.identities, photos.parameters, photos.boxes):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _render_part(
    photos: FittedPhotos, renderer: Renderer, target: Path, chosen: NDArray[np.intp], path: Path
) -> int:
    views = [(index, view) for index in chosen for view in renderer(photos, int(index))]
    names = []
    for number, (index, view) in enumerate(views):
        # Photos in several folders may share a name, faces a photo, and views an angle.
        stem = "-".join(Path(str(photos.names[index])).with_suffix("").parts)
        name = f"{stem}_{index}-{number}{view.suffix}.jpg"
        with atomic_path(target / name) as temporary:
            cv2.imwrite(
                str(temporary),
                view.picture[:, :, ::-1],
                [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY],
            )
        names.append(name)
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            names=np.array(names, dtype=np.str_),
            photo=np.array([index for index, _ in views], np.int64),
            boxes=np.array([v.box.corners for _, v in views], np.float32).reshape(-1, 4),
            params=np.array([v.parameters for _, v in views], np.float32).reshape(-1, 62),
            lm68_3d=np.array([v.landmarks for _, v in views], np.float32).reshape(-1, 68, 3),
            ypr=np.array([v.angles for _, v in views], np.float32).reshape(-1, 3),
        )
    return len(chosen)


def _join(photos: FittedPhotos, paths: list[Path], target: Path) -> int:
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as stored:
            parts.append({name: stored[name] for name in stored.files})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    views = FittedPhotos(
        photos.source,
        target,
        joined["names"],
        photos.identities[joined["photo"]],
        joined["boxes"],
        joined["params"],
        joined["lm68_3d"],
    )
    write_fits(views, ypr=joined["ypr"])
    return len(views)
