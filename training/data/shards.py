"""The format of packed faces: tar shards in the manner of WebDataset, and an index beside them.

A pack is a folder of ``faces-00000.tar``, ``faces-00001.tar``, ... Each face is two members,
``KEY.jpg`` (crop with context) and ``KEY.json`` (labels), so `tar` and the webdataset library read
a shard too. ``index.npz`` holds the labels of all faces and the place of every JPEG, so that a
face is read by its number, from a disk or from object storage. It can be made again from the
shards.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.errors import BadInputError
from backend.geometry.pose import euler_angles
from backend.morphable_model.parameters import FaceParameters

# A crop shows this many times the side of the roi box, so that an augmentation can turn, scale and
# shift it without leaving the picture.
CONTEXT = 1.5
STORED_SIZE = 192
JPEG_QUALITY = 95

INDEX_FILE = "index.npz"
SHARD_NAME = "faces-{:05d}.tar"
SHARD_PATTERN = "faces-*.tar"

_JPEG_OPTIONS = (
    cv2.IMWRITE_JPEG_QUALITY,
    JPEG_QUALITY,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


@dataclass(frozen=True)
class Labels:
    """What is known of N faces.

    Attributes
    ----------
    names
        (N,) file names of the photos.
    identities
        (N,) the people.
    sources
        (N,) names of the sets.
    parameters
        (N, 62) float32 in the frame of the upright 120x120 crop.
    landmarks
        (N, 3, 68) float32, 3D landmarks in the crop frame.
    points
        (N, 2, 68) float32, annotated points in the crop frame, NaN where there are none.
    """

    names: NDArray[np.str_]
    identities: NDArray[np.str_]
    sources: NDArray[np.str_]
    parameters: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    points: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def yaw(self) -> NDArray[np.float32]:
        """(N,) degrees, 300W-LP's convention (`backend.geometry.pose.euler_angles`)."""
        rotation = FaceParameters(self.parameters).pose.rotation
        return euler_angles(rotation)[:, 0].astype(np.float32)

    def subset(self, chosen: slice | NDArray[np.integer] | NDArray[np.bool_]) -> Labels:
        """Some of the faces."""
        return Labels(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    @classmethod
    def concatenate(cls, parts: Iterable[Labels]) -> Labels:
        """All faces of several sets."""
        parts = list(parts)
        names = [field.name for field in fields(cls)]
        return cls(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


@dataclass(frozen=True)
class PackIndex:
    """Labels of all faces of a pack, and where their JPEGs are.

    Attributes
    ----------
    labels
        Of all N faces.
    files
        (M,) names of the shards.
    shards
        (N,) int32, row of `files`.
    offsets, lengths
        (N,) int64, bytes of the JPEG in its shard.
    """

    labels: Labels
    files: NDArray[np.str_]
    shards: NDArray[np.int32]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]


class Sample(NamedTuple):
    """One face of a shard: its labels as in the JSON, and the place of its JPEG."""

    label: dict[str, Any]
    offset: int
    length: int


def encode_crop(crop: NDArray[np.uint8]) -> bytes:
    """JPEG of an RGB crop, with colours at full resolution."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), _JPEG_OPTIONS)
    assert done
    return data.tobytes()


def decode_crop(data: bytes) -> NDArray[np.uint8]:
    """(S, S, 3) RGB of a JPEG.

    Raises
    ------
    BadInputError
        The bytes are no whole JPEG.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    if image is None:
        raise BadInputError("A packed face is damaged.", "Pack the faces again.")
    return np.asarray(image, np.uint8)


def write_shard(path: Path, first: int, jpegs: Iterable[bytes], labels: Labels) -> None:
    """Write one shard, whole or not at all. Keys are numbers that count from `first`."""
    with atomic_path(path) as temporary, tarfile.open(temporary, "w") as tar:
        for row, jpeg in enumerate(jpegs):
            key = f"{first + row:08d}"
            # A TarInfo of one's own has no time and no owner: the same faces make the same bytes.
            for suffix, data in (("jpg", jpeg), ("json", _label_json(labels, row))):
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def read_shard(path: Path) -> Iterator[Sample]:
    """Samples of a shard in their order.

    Raises
    ------
    BadInputError
        The file is no shard of faces.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            jpeg: tarfile.TarInfo | None = None
            for member in tar:
                if member.name.endswith(".jpg"):
                    jpeg = member
                elif jpeg is not None and member.name == f"{jpeg.name[:-4]}.json":
                    file = tar.extractfile(member)
                    assert file is not None
                    yield Sample(json.load(file), jpeg.offset_data, jpeg.size)
    except (OSError, tarfile.TarError, ValueError) as error:
        raise BadInputError(
            f"Cannot use the shard {path}: {error}.", "Pack the faces again."
        ) from error


def build_index(folder: Path) -> PackIndex:
    """Index of a folder's shards, made from the shards alone.

    Raises
    ------
    BadInputError
        The folder has no shards, or one is damaged.
    """
    paths = sorted(folder.glob(SHARD_PATTERN))
    counted = [(row, sample) for row, path in enumerate(paths) for sample in read_shard(path)]
    if not counted:
        raise BadInputError(
            f"{folder} has no faces in shards ({SHARD_PATTERN}).",
            "Make them with `synergyface data pack`.",
        )
    try:
        labels = _labels_from_json([sample.label for _, sample in counted])
    except (KeyError, ValueError, TypeError) as error:
        raise BadInputError(
            f"The labels in the shards of {folder} cannot be used: {error}.",
            "Pack the faces again.",
        ) from error
    return PackIndex(
        labels,
        np.array([path.name for path in paths]),
        np.array([row for row, _ in counted], np.int32),
        np.array([sample.offset for _, sample in counted], np.int64),
        np.array([sample.length for _, sample in counted], np.int64),
    )


def write_index(index: PackIndex, path: Path) -> None:
    """Write ``index.npz``; `read_index` reads it back."""
    arrays = vars(index.labels) | {n: v for n, v in vars(index).items() if n != "labels"}
    with atomic_path(path) as temporary:
        np.savez(temporary, yaw=index.labels.yaw, **arrays)  # pyright: ignore[reportArgumentType]


def read_index(location: str | Path) -> PackIndex:
    """Read the index of a pack.

    Parameters
    ----------
    location
        Folder, or address of one that fsspec knows, as ``s3://bucket/faces``.

    Raises
    ------
    BadInputError
        There is no pack.
    """
    import fsspec

    try:
        with fsspec.open(f"{location}/{INDEX_FILE}", "rb") as file:
            content = io.BytesIO(file.read())  # pyright: ignore[reportAttributeAccessIssue]
        with np.load(content, allow_pickle=False) as stored:
            labels = Labels(**{field.name: stored[field.name] for field in fields(Labels)})
            places = [stored[field.name] for field in fields(PackIndex) if field.name != "labels"]
    except (OSError, KeyError, ValueError, ImportError) as error:
        raise BadInputError(
            f"{location} is not a folder of packed faces: {error}.",
            "Make one with `synergyface data pack`, or its index with `synergyface data index`.",
        ) from error
    return PackIndex(labels, *places)


def _label_json(labels: Labels, row: int) -> bytes:
    points = labels.points[row]
    label = {
        "name": str(labels.names[row]),
        "identity": str(labels.identities[row]),
        "source": str(labels.sources[row]),
        "parameters": _shortest(labels.parameters[row]),
        "landmarks": _shortest(labels.landmarks[row]),
        "points": _shortest(points) if np.isfinite(points).all() else None,
    }
    return json.dumps(label).encode()


def _shortest(values: NDArray[np.float32]) -> list[Any]:
    """Numbers with the fewest digits that give back the same float32."""
    return values.astype("U32").astype(np.float64).tolist()


def _labels_from_json(labels: list[dict[str, Any]]) -> Labels:
    nowhere = np.full((2, 68), np.nan)
    return Labels(
        np.array([label["name"] for label in labels]),
        np.array([label["identity"] for label in labels]),
        np.array([label["source"] for label in labels]),
        np.array([label["parameters"] for label in labels], np.float32).reshape(-1, 62),
        np.array([label["landmarks"] for label in labels], np.float32).reshape(-1, 3, 68),
        np.array(
            [nowhere if label["points"] is None else label["points"] for label in labels],
            np.float32,
        ).reshape(-1, 2, 68),
    )
