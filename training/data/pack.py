"""Packing of fitted photos: every face is read, cropped with context and stored in shards.

The work is spread over processes and can be stopped at any time: shards that are whole are kept
when the same command runs again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from backend.errors import BadInputError
from backend.morphable_model.boxes import RoiBox
from backend.vision.crop import crop
from backend.vision.images import read_image
from training.data.fitted_photos import FittedPhotos
from training.data.manifest import write_manifest
from training.data.shards import (
    CONTEXT,
    INDEX_FILE,
    JPEG_QUALITY,
    SHARD_NAME,
    SHARD_PATTERN,
    STORED_SIZE,
    Labels,
    build_index,
    encode_crop,
    write_index,
    write_shard,
)
from training.data.workers import worker_pool

Crops = Callable[[list[Path], NDArray[np.float32]], Iterator[bytes]]

MANIFEST_FILE = "manifest.json"
FACES_PER_SHARD = 1000
YAW_BINS = np.arange(-90, 91, 15)


@dataclass(frozen=True)
class _Shard:
    """What goes into one shard.

    Attributes
    ----------
    file
        Its name.
    first
        Number of its first face.
    photos, boxes
        Its images, and their (n, 4) roi boxes.
    labels
        Of its faces.
    """

    file: str
    first: int
    photos: list[Path]
    boxes: NDArray[np.float32]
    labels: Labels

    def digest(self) -> str:
        """Hash of all that the shard is made from; photos count by their size and time."""
        settings = (CONTEXT, STORED_SIZE, JPEG_QUALITY, self.first)
        sha = hashlib.sha256(repr(settings).encode())
        for photo in self.photos:
            sha.update(str(photo).encode())
            with suppress(OSError):  # that a photo is missing is said when it is read
                stat = photo.stat()
                sha.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())
        sha.update(self.boxes.tobytes())
        for field in fields(self.labels):
            sha.update(np.ascontiguousarray(getattr(self.labels, field.name)).tobytes())
        return sha.hexdigest()

    def entry(self, digest: str) -> dict[str, Any]:
        """What the manifest says of the shard."""
        return {"file": self.file, "faces": len(self.photos), "digest": digest}


def pack(
    sets: Iterable[FittedPhotos],
    target: Path,
    workers: int = 1,
    faces_per_shard: int = FACES_PER_SHARD,
) -> int:
    """Write a pack: shards, their index and a manifest.

    Parameters
    ----------
    sets
        What to pack.
    target
        Folder to write. Shards in it that were made from the same photos and labels are kept,
        other shards are replaced or removed.
    workers
        Processes; 1 stays in this one.
    faces_per_shard
        Faces in a shard.

    Returns
    -------
    The number of faces.

    Raises
    ------
    BadInputError
        There is nothing to pack, labels are not finite, or a photo cannot be read.
    """
    shards = list(_plan(list(sets), faces_per_shard))
    digests = {shard.file: shard.digest() for shard in shards}
    finished = _finished(target)
    kept = {file for file, digest in digests.items() if finished.get(file) == digest}
    if kept != set(digests):
        # An index of other shards would point into the middle of their pictures.
        (target / INDEX_FILE).unlink(missing_ok=True)
    for path in target.glob(SHARD_PATTERN):
        if path.name not in kept:
            path.unlink()
    total = sum(len(shard.photos) for shard in shards)
    with _crops(workers) as crops, tqdm(total=total, unit="face", disable=None) as bar:
        for shard in shards:
            if shard.file in kept:
                bar.update(len(shard.photos))
                continue
            jpegs = crops(shard.photos, shard.boxes)
            write_shard(target / shard.file, shard.first, _counted(jpegs, bar), shard.labels)
            kept.add(shard.file)
            entries = [shard.entry(digests[shard.file]) for shard in shards if shard.file in kept]
            write_manifest(
                target, "pack", {"faces": sum(e["faces"] for e in entries)}, shards=entries
            )
    index = build_index(target)
    entries = [shard.entry(digests[shard.file]) for shard in shards]
    write_manifest(target, "pack", _counts(index.labels), shards=entries, **_about(index.labels))
    write_index(index, target / INDEX_FILE)
    return total


@contextmanager
def _crops(workers: int) -> Iterator[Crops]:
    """What makes JPEGs of context crops, in order: in processes or here."""
    if workers == 1:
        yield lambda photos, boxes: starmap(_context_jpeg, zip(photos, boxes, strict=True))
        return
    with worker_pool(workers) as pool:
        yield lambda photos, boxes: pool.map(_context_jpeg, photos, boxes, chunksize=16)


def _context_jpeg(photo: Path, box: NDArray[np.float32]) -> bytes:
    roi_box = RoiBox.from_corners(*box.astype(float))
    context = RoiBox(roi_box.x, roi_box.y, roi_box.side * CONTEXT)
    return encode_crop(crop(read_image(photo), context, STORED_SIZE))


def _counted(jpegs: Iterator[bytes], bar: Any) -> Iterator[bytes]:
    for jpeg in jpegs:
        bar.update()
        yield jpeg


def _plan(sets: list[FittedPhotos], faces_per_shard: int) -> Iterator[_Shard]:
    if not sum(map(len, sets)):
        raise BadInputError("There are no faces to pack.", "Give sets of fitted photos.")
    for photos in sets:
        if not all(
            np.isfinite(a).all() for a in (photos.boxes, photos.parameters, photos.landmarks)
        ):
            raise BadInputError(
                f"Some fits of {photos.folder} are not finite.", "Leave those photos out."
            )
    labels = Labels.concatenate([_labels(photos) for photos in sets])
    boxes = np.concatenate([photos.boxes for photos in sets]).astype(np.float32)
    paths = [(photos.folder / str(name)).resolve() for photos in sets for name in photos.names]
    for number, first in enumerate(range(0, len(paths), faces_per_shard)):
        part = slice(first, first + faces_per_shard)
        file = SHARD_NAME.format(number)
        yield _Shard(file, first, paths[part], boxes[part], labels.subset(part))


def _finished(target: Path) -> dict[str, str]:
    """File names and digests of the whole shards in a folder, by its manifest."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        shards = json.loads((target / MANIFEST_FILE).read_text())["shards"]
        return {s["file"]: s["digest"] for s in shards if (target / s["file"]).is_file()}
    return {}


def _counts(labels: Labels) -> dict[str, int]:
    return {"faces": len(labels), "people": len(np.unique(labels.identities))}


def _about(labels: Labels) -> dict[str, Any]:
    """How the crops are stored, and how many faces there are by source and by yaw in degrees."""
    counts, edges = np.histogram(labels.yaw, YAW_BINS)
    return {
        "crop": {"size": STORED_SIZE, "context": CONTEXT, "jpeg_quality": JPEG_QUALITY},
        "sources": dict(Counter(map(str, labels.sources))),
        "yaw": {
            f"{low}..{high}": int(n)
            for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True)
        },
    }


def _labels(photos: FittedPhotos) -> Labels:
    n = len(photos)
    if photos.points is None:
        points = np.full((n, 2, 68), np.nan, np.float32)
    else:
        flat = np.concatenate([photos.points, np.zeros_like(photos.points[..., :1])], axis=2)
        points = _in_crop_frame(flat, photos.boxes)[:, :2]
    return Labels(
        photos.names.astype(np.str_),
        photos.identities.astype(np.str_),
        np.full(n, photos.source),
        photos.parameters.astype(np.float32),
        _in_crop_frame(photos.landmarks, photos.boxes),
        points,
    )


def _in_crop_frame(points: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, P, 3) image pixels -> (N, 3, P) crop frame."""
    each = [
        RoiBox.from_corners(*b.astype(float)).to_crop(p).T
        for p, b in zip(points, boxes, strict=True)
    ]
    return np.array(each, np.float32).reshape(len(points), 3, -1)
