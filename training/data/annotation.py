"""Faces of a folder of photos: MediaPipe's 478 points, and the 68 landmarks that follow from them.

The result is one file, ``annotations.npz``:

``names`` (N,)
    Path of the photo in the folder; repeated where a photo shows several faces.
``mp478`` (N, 478, 3) float32
    MediaPipe's points, image frame: 0-based pixels, z to the viewer in the same scale.
``pts`` (N, 68, 2) float32
    iBUG-68 points derived from them (`mediapipe_points.landmarks_from_mesh`), 0-based pixels.
``boxes`` (N, 4) float32
    Upright roi boxes around these.
``skipped_names``, ``skipped_reasons`` (M,)
    Files without a row, and why.
"""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from backend.data_folder import atomic_path
from backend.errors import BadInputError
from backend.morphable_model.boxes import RoiBox
from training.data.arrays import read_arrays
from training.data.workers import worker_pool

if TYPE_CHECKING:
    from backend.vision.detection import FaceDetector

Found = tuple[list[NDArray[np.float32]], str]

ANNOTATIONS_FILE = "annotations.npz"
PARTS_FOLDER = ".annotations"
# Photos after which the work so far is saved.
PART = 256
# What the data steps themselves write beside the photos.
NOT_PHOTOS = frozenset({".npz", ".npy", ".json"})
NO_FACE = "no face was found"
NO_POINTS = "the face is turned or covered so far that its points cannot be read"


@dataclass
class Annotations:
    """Faces found so far, and files without any."""

    names: list[str] = field(default_factory=list)
    points: list[NDArray[np.float32]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def seen(self) -> set[str]:
        """Files that have been looked at."""
        return {*self.names, *self.skipped}

    def add(self, name: str, faces: list[NDArray[np.float32]], reason: str) -> None:
        """Note a file's faces, or why there are none."""
        self.names += [name] * len(faces)
        self.points += faces
        if not faces:
            self.skipped[name] = reason

    def extend(self, other: Annotations) -> None:
        """Add all of another."""
        self.names += other.names
        self.points += other.points
        self.skipped |= other.skipped

    @property
    def mp478(self) -> NDArray[np.float32]:
        """(N, 478, 3)."""
        return np.array(self.points, np.float32).reshape(-1, 478, 3)

    def arrays(self) -> dict[str, NDArray]:
        """What is stored of them in any case."""
        return {
            "names": np.array(self.names, np.str_),
            "mp478": self.mp478,
            "skipped_names": np.array(list(self.skipped), np.str_),
            "skipped_reasons": np.array(list(self.skipped.values()), np.str_),
        }


@dataclass(frozen=True)
class Summary:
    """What `annotate` did: new files looked at, and all that the file now says."""

    new: int
    annotations: Annotations


def annotate(folder: Path, all_faces: bool = False, workers: int | None = None) -> Summary:
    """Find the faces of a folder's photos, those of its subfolders included.

    Photos that ``annotations.npz`` knows are not looked at again. The work is saved every few
    hundred photos and when it is interrupted, so that the next run goes on from there.

    Parameters
    ----------
    folder
        The photos; ``annotations.npz`` is written into it.
    all_faces
        One row per face instead of the largest face only.
    workers
        Processes; by default one for each core. One works in this process.

    Raises
    ------
    BadInputError
        There is no such folder or it cannot be written to.
    MissingAssetError
        The detector's or the face model's data have not been fetched.
    """
    from backend.vision.sources import detector_path

    if not folder.is_dir():
        raise BadInputError(f"There is no folder {folder}.", "Name a folder of photos.")
    detector = detector_path()
    known = _read_known(folder)
    new = [name for name in _files(folder) if name not in known.seen]
    look = partial(find_faces, folder, detector, all_faces)
    workers = min(workers or multiprocessing.cpu_count(), max(1, len(new)))
    with (
        _mapped(look, new, workers) as found,
        tqdm(total=len(new), unit="photo", disable=None) as bar,
    ):
        for part in _saved_parts(folder, zip(new, found, strict=True), bar.update):
            known.extend(part)
    if new or not (folder / ANNOTATIONS_FILE).is_file():
        _write(folder, known)
    return Summary(len(new), known)


def _saved_parts(
    folder: Path, rows: Iterable[tuple[str, Found]], progress: Callable[[], object]
) -> Iterator[Annotations]:
    """Gather faces in parts; each is on disk when it is given, and the last one in any case."""
    part = Annotations()
    try:
        for name, (faces, reason) in rows:
            part.add(name, faces, reason)
            progress()
            if len(part.seen) >= PART:
                _write_part(folder, part)
                yield part
                part = Annotations()
    finally:
        if part.seen:
            _write_part(folder, part)
    yield part


def find_faces(folder: Path, detector: Path, all_faces: bool, name: str) -> Found:
    """(478, 3) points of a photo's faces (the largest, or all), or the reason why there are none.

    Runs in the worker processes.
    """
    from backend.vision.images import read_image

    try:
        image = read_image(folder / name)
    except BadInputError as error:
        return [], error.problem
    found = _detector(detector).detect(image)
    if not found:
        return [], NO_FACE
    if not all_faces:
        found = [max(found, key=lambda detection: detection.roi_box.side)]
    read = [detection.points for detection in found if detection.points is not None]
    return read, "" if read else NO_POINTS


@cache
def _detector(path: Path) -> FaceDetector:
    """The detector of this process, which takes a second to load."""
    from backend.vision.detection import FaceDetector

    return FaceDetector(path)


@contextmanager
def _mapped(
    look: Callable[[str], Found], names: list[str], workers: int
) -> Iterator[Iterable[Found]]:
    """Results of `look` for all names, in their order."""
    if workers == 1:
        yield map(look, names)
        return
    with worker_pool(workers) as pool:
        yield pool.map(look, names, chunksize=4)


def _files(folder: Path) -> list[str]:
    """What may be a photo, relative to the folder; hidden files and folders are left out."""
    paths = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        path.as_posix()
        for path in paths
        if path.suffix not in NOT_PHOTOS and not any(p.startswith(".") for p in path.parts)
    ]


def _read_known(folder: Path) -> Annotations:
    """Earlier work: the file, and the parts that an interrupted run left."""
    known = Annotations()
    parts = sorted((folder / PARTS_FOLDER).glob("*.npz"))
    for path in [folder / ANNOTATIONS_FILE, *parts]:
        if not path.is_file():
            continue
        stored = read_arrays(path, ("names", "mp478", "skipped_names", "skipped_reasons"))
        if known.seen.isdisjoint(stored["names"].tolist()):
            reasons = zip(stored["skipped_names"], stored["skipped_reasons"], strict=True)
            known.extend(
                Annotations(
                    [str(name) for name in stored["names"]],
                    list(stored["mp478"]),
                    {str(name): str(reason) for name, reason in reasons},
                )
            )
    return known


def _write_part(folder: Path, part: Annotations) -> None:
    """Save some photos' faces until all are done."""
    parts = folder / PARTS_FOLDER
    parts.mkdir(exist_ok=True)
    with atomic_path(parts / f"{len(list(parts.glob('*.npz'))):06d}.npz") as temporary:
        np.savez(temporary, **part.arrays())  # pyright: ignore[reportArgumentType]


def _write(folder: Path, annotations: Annotations) -> None:
    """Write the file, and remove the parts."""
    from backend.morphable_model.storage import load_model
    from training.data.mediapipe_points import N_MESH_POINTS, landmarks_from_mesh, load_table

    arrays = annotations.arrays()
    weights = landmarks_from_mesh(load_table(), load_model())
    points = weights @ arrays["mp478"][:, :N_MESH_POINTS, :2]
    boxes = [RoiBox.around(face).corners for face in points]
    arrays["pts"] = points.astype(np.float32)
    arrays["boxes"] = np.array(boxes, np.float32).reshape(-1, 4)
    with atomic_path(folder / ANNOTATIONS_FILE) as temporary:
        np.savez_compressed(temporary, **arrays)  # pyright: ignore[reportArgumentType]
    shutil.rmtree(folder / PARTS_FOLDER, ignore_errors=True)
