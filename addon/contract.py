"""What crosses the wire between the Blender add-on and the backend.

One body is one container, little-endian throughout::

    4 bytes   magic b"SFC1"
    uint32    length of the header in bytes
    header    UTF-8 JSON: {"envelope": {...}, "arrays": [{"name", "dtype", "shape"}, ...]},
              padded with spaces so that the payload begins at a multiple of 8 bytes
    payload   the arrays' bytes in the order of the header, without gaps

The module needs the standard library and numpy only, because the add-on carries a copy of it
(``addon/contract.py``; a test asserts that both are equal).
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROTOCOL = 1
MEDIA_TYPE = "application/x-synergyface"
TOKEN_VARIABLE = "SYNERGYFACE_TOKEN"
N_EXPRESSIONS = 10

MAGIC = b"SFC1"
DTYPES = ("<f4", "<i4", "|u1")
MAX_HEADER_BYTES = 4 * 2**20
MAX_PAYLOAD_BYTES = 2**30
MAX_PHOTO_BYTES = 64 * 2**20
MAX_ARRAYS = 4096
MAX_DIMENSIONS = 4

_PREFIX = struct.Struct("<4sI")
_ALIGNMENT = 8


class ContractError(ValueError):
    """A body does not follow the contract; the message says where."""


@dataclass(frozen=True)
class StaticModel:
    """What every head shares; fetched once per backend.

    Lengths are metres in Blender's frame (Z up, the face looks along -Y).

    Attributes
    ----------
    mean
        (V, 3) float32, the mean head without expression.
    triangles
        (T, 3) int32, anticlockwise seen from outside.
    uv
        (V, 2) float32 in [0, 1], u right, v up.
    expression_basis
        (10, V, 3) float32, displacement per standard deviation.
    """

    mean: NDArray[np.float32]
    triangles: NDArray[np.int32]
    uv: NDArray[np.float32]
    expression_basis: NDArray[np.float32]


@dataclass(frozen=True)
class FacePose:
    """Pose of a head in a photo.

    Attributes
    ----------
    yaw, pitch, roll
        Degrees, 300W-LP's convention.
    scale
        Image pixels per millimetre.
    translation
        Image position of the model's origin in pixels (x right, y down, z to the viewer).
    quaternion
        (w, x, y, z): the head's rotation in Blender's frame, for a camera that looks along +Y.
    """

    yaw: float
    pitch: float
    roll: float
    scale: float
    translation: tuple[float, float, float]
    quaternion: tuple[float, float, float, float]


@dataclass(frozen=True)
class FaceResult:
    """One reconstructed face.

    Attributes
    ----------
    neutral
        (V, 3) float32, the person's head without expression: metres, Blender's frame.
    expression
        (10,) float32, the photo's expression in standard deviations of `expression_basis`.
    parameters
        (62,) float32: pose 3x4 row-major, 40 shape, 10 expression, not whitened, crop frame.
    landmarks, landmarks_coarse
        (68, 3) float32, image pixels: refined, and those of the mesh itself.
    texture_png
        (N,) uint8, the bytes of a PNG file; empty when no texture was asked for.
    roi_box
        x0, y0, x1, y1 of the square crop in image pixels, to which `parameters` refer.
    pose
        Pose in the photo.
    """

    neutral: NDArray[np.float32]
    expression: NDArray[np.float32]
    parameters: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    landmarks_coarse: NDArray[np.float32]
    texture_png: NDArray[np.uint8]
    roi_box: tuple[float, float, float, float]
    pose: FacePose


@dataclass(frozen=True)
class FacesResult:
    """Every face that was asked for, left to right, and the photo's size (width, height)."""

    faces: tuple[FaceResult, ...]
    image_size: tuple[int, int]


def encode(envelope: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bytes:
    """Pack a JSON envelope and named arrays into one body.

    Raises
    ------
    ContractError
        An array has another dtype than `DTYPES`, or the envelope is not JSON.
    """
    packed = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    entries = []
    for name, array in packed.items():
        dtype = array.dtype.newbyteorder("<").str
        if dtype not in DTYPES:
            raise ContractError(f"Array {name!r} has dtype {array.dtype}, not one of {DTYPES}.")
        entries.append({"name": name, "dtype": dtype, "shape": list(array.shape)})
    try:
        header = json.dumps({"envelope": envelope, "arrays": entries}, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ContractError(f"The envelope is not JSON: {error}.") from error
    header += b" " * (-(_PREFIX.size + len(header)) % _ALIGNMENT)
    payload = [array.astype(array.dtype.newbyteorder("<"), copy=False) for array in packed.values()]
    return b"".join(
        (_PREFIX.pack(MAGIC, len(header)), header, *(array.tobytes() for array in payload))
    )


def decode(body: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Unpack a body. The arrays are read-only views of it.

    Raises
    ------
    ContractError
        Whatever is not exactly as the module's docstring says; nothing is allocated before the
        lengths are checked.
    """
    if len(body) < _PREFIX.size:
        raise ContractError("The body is shorter than its fixed prefix.")
    magic, header_length = _PREFIX.unpack_from(body)
    if magic != MAGIC:
        raise ContractError("The body does not begin with the magic bytes SFC1.")
    if header_length > min(MAX_HEADER_BYTES, len(body) - _PREFIX.size):
        raise ContractError("The header is longer than the body or the limit.")
    start = _PREFIX.size + header_length
    try:
        header = json.loads(body[_PREFIX.size : start].decode("utf-8"), parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise ContractError("The header is not UTF-8 JSON.") from error
    envelope, entries = _header_parts(header)
    arrays: dict[str, NDArray[Any]] = {}
    offset = start
    for entry in entries:
        name, dtype, shape = _entry_parts(entry)
        if name in arrays:
            raise ContractError(f"Array {name!r} appears twice.")
        count = math.prod(shape)
        nbytes = count * np.dtype(dtype).itemsize
        # The second test is for shapes such as (0, 2**30, 2**30), which numpy cannot express.
        if nbytes > len(body) - offset or math.prod(filter(None, shape)) > MAX_PAYLOAD_BYTES:
            raise ContractError(f"Array {name!r} is longer than the body.")
        arrays[name] = np.frombuffer(body, dtype, count, offset).reshape(shape)
        offset += nbytes
    if offset != len(body):
        raise ContractError("Bytes are left over after the last array.")
    return envelope, arrays


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _header_parts(header: Any) -> tuple[dict[str, Any], list[Any]]:
    if not isinstance(header, dict) or set(header) != {"envelope", "arrays"}:
        raise ContractError("The header needs exactly 'envelope' and 'arrays'.")
    envelope, entries = header["envelope"], header["arrays"]
    if not isinstance(envelope, dict) or not isinstance(entries, list):
        raise ContractError("The header's 'envelope' or 'arrays' has the wrong type.")
    if len(entries) > MAX_ARRAYS:
        raise ContractError(f"More than {MAX_ARRAYS} arrays.")
    return envelope, entries


def _entry_parts(entry: Any) -> tuple[str, str, tuple[int, ...]]:
    if not isinstance(entry, dict) or set(entry) != {"name", "dtype", "shape"}:
        raise ContractError("An array entry needs exactly 'name', 'dtype' and 'shape'.")
    name, dtype, shape = entry["name"], entry["dtype"], entry["shape"]
    if not isinstance(name, str) or dtype not in DTYPES:
        raise ContractError(f"An array entry has a bad name or a dtype other than {DTYPES}.")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise ContractError(f"Array {name!r} has a bad shape.")
    if any(type(n) is not int or not 0 <= n <= MAX_PAYLOAD_BYTES for n in shape):
        raise ContractError(f"Array {name!r} has a bad shape.")
    return name, dtype, tuple(shape)


def encode_model(model: StaticModel) -> bytes:
    """Body of ``GET /v1/model``."""
    return encode({"kind": "model", "protocol": PROTOCOL}, {
        "mean": model.mean,
        "triangles": model.triangles,
        "uv": model.uv,
        "expression_basis": model.expression_basis,
    })  # fmt: skip


def decode_model(body: bytes) -> StaticModel:
    """Read the body of ``GET /v1/model``.

    Raises
    ------
    ContractError
        Wrong kind, protocol, array or shape.
    """
    envelope, arrays = decode(body)
    _expect_kind(envelope, "model")
    n_vertices = len(_array(arrays, "mean", "<f4", (None, 3)))
    model = StaticModel(
        mean=arrays["mean"],
        triangles=_array(arrays, "triangles", "<i4", (None, 3)),
        uv=_array(arrays, "uv", "<f4", (n_vertices, 2)),
        expression_basis=_array(arrays, "expression_basis", "<f4", (N_EXPRESSIONS, n_vertices, 3)),
    )
    if (
        model.triangles.size
        and not 0 <= model.triangles.min() <= model.triangles.max() < n_vertices
    ):
        raise ContractError("A triangle names a vertex that does not exist.")
    return model


_FACE_ARRAYS: dict[str, tuple[str, tuple[int | None, ...]]] = {
    "neutral": ("<f4", (None, 3)),
    "expression": ("<f4", (N_EXPRESSIONS,)),
    "parameters": ("<f4", (62,)),
    "landmarks": ("<f4", (68, 3)),
    "landmarks_coarse": ("<f4", (68, 3)),
    "texture_png": ("|u1", (None,)),
}


def encode_faces(result: FacesResult) -> bytes:
    """Body of a finished faces job's result."""
    envelope = {
        "kind": "faces",
        "protocol": PROTOCOL,
        "image_size": list(result.image_size),
        "faces": [
            {"roi_box": list(face.roi_box), "pose": asdict(face.pose)} for face in result.faces
        ],
    }
    # Field by field, PNGs last: every float then lies at a multiple of its size.
    arrays = {
        f"{index}/{name}": getattr(face, name)
        for name in _FACE_ARRAYS
        for index, face in enumerate(result.faces)
    }
    return encode(envelope, arrays)


def decode_faces(body: bytes) -> FacesResult:
    """Read the body of a finished faces job's result.

    Raises
    ------
    ContractError
        Wrong kind, protocol, field, array or shape.
    """
    envelope, arrays = decode(body)
    _expect_kind(envelope, "faces")
    if not isinstance(envelope.get("faces"), list):
        raise ContractError("The envelope's 'faces' is not a list.")
    try:
        faces = tuple(
            FaceResult(
                **{
                    name: _array(arrays, f"{index}/{name}", dtype, shape)
                    for name, (dtype, shape) in _FACE_ARRAYS.items()
                },
                roi_box=_floats(entry["roi_box"], 4),
                pose=_pose(entry["pose"]),
            )
            for index, entry in enumerate(envelope["faces"])
        )
        width, height = envelope["image_size"]
    except ContractError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ContractError(f"The envelope lacks a field or has a bad one: {error}.") from error
    if type(width) is not int or type(height) is not int or min(width, height) < 1:
        raise ContractError(f"An image cannot measure {width!r} x {height!r} pixels.")
    return FacesResult(faces, (width, height))


def _pose(fields: dict[str, Any]) -> FacePose:
    yaw, pitch, roll, scale = _floats([fields[k] for k in ("yaw", "pitch", "roll", "scale")], 4)
    return FacePose(
        yaw, pitch, roll, scale, _floats(fields["translation"], 3), _floats(fields["quaternion"], 4)
    )


def _floats(values: Any, count: int) -> tuple[Any, ...]:
    if not isinstance(values, list) or any(type(v) not in (int, float) for v in values):
        raise ContractError("Expected a list of numbers.")
    numbers = tuple(float(v) for v in values)
    if len(numbers) != count or not all(math.isfinite(v) for v in numbers):
        raise ContractError(f"Expected {count} finite numbers, found {len(numbers)}.")
    return numbers


def _expect_kind(envelope: dict[str, Any], kind: str) -> None:
    if envelope.get("protocol") != PROTOCOL:
        raise ContractError(
            f"The body speaks protocol {envelope.get('protocol')!r}; this side speaks {PROTOCOL}."
        )
    if envelope.get("kind") != kind:
        raise ContractError(f"Expected a body of kind {kind!r}, found {envelope.get('kind')!r}.")


def _array(
    arrays: dict[str, NDArray[Any]], name: str, dtype: str, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    array = arrays.get(name)
    if array is None:
        raise ContractError(f"Array {name!r} is missing.")
    fits = len(array.shape) == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if array.dtype != np.dtype(dtype) or not fits:
        raise ContractError(f"Array {name!r} is {array.dtype}{array.shape}, not {dtype}{shape}.")
    if dtype == "<f4" and not np.isfinite(array).all():
        raise ContractError(f"Array {name!r} has a value that is not finite.")
    return array
