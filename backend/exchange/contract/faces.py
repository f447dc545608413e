"""Heads of a photo, and what all heads share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .container import ContractError, decode, encode
from .fields import Shape, entries, expect_kind, finite_array, floats, image_size, reading_envelope
from .protocol import N_EXPRESSIONS, N_LANDMARKS, N_PARAMETERS, PROTOCOL
from .whole_head import (
    StaticPart,
    WholeHead,
    count_keys,
    head_arrays,
    head_envelope,
    image_arrays,
    read_head,
    read_static,
    static_arrays,
    static_envelope,
)

NO_AMOUNTS = np.zeros(0, np.float32)


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
    mouth
        (M, 3) int32, triangles in the same sense that close the slit between the lips.
    uv
        (V, 2) float32 in [0, 1], u right, v up.
    expression_basis
        (10, V, 3) float32, displacement per standard deviation.
    landmark_indices
        (68,) int32, vertices of the landmarks in iBUG-68's order.
    regions
        By name (``face``, ``ears``, ...): (V,) uint8, how much of a vertex belongs to it, 255 all.
    parts
        What stands beside the face in a whole head, by name; empty if the backend cannot make any.
    """

    mean: NDArray[np.float32]
    triangles: NDArray[np.int32]
    mouth: NDArray[np.int32]
    uv: NDArray[np.float32]
    expression_basis: NDArray[np.float32]
    landmark_indices: NDArray[np.int32]
    regions: dict[str, NDArray[np.uint8]]
    parts: dict[str, StaticPart] = field(default_factory=dict)


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
    whole
        Named keys and the parts beside the face; None if the face alone was asked for, or if the
        backend can make no more.
    amounts
        (K,) float32 in [0, 1]: the photo's expression in the keys of `whole`.
    """

    neutral: NDArray[np.float32]
    expression: NDArray[np.float32]
    parameters: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    landmarks_coarse: NDArray[np.float32]
    texture_png: NDArray[np.uint8]
    roi_box: tuple[float, float, float, float]
    pose: FacePose
    whole: WholeHead | None = None
    amounts: NDArray[np.float32] = field(default_factory=NO_AMOUNTS.copy)


@dataclass(frozen=True)
class FacesResult:
    """Every face that was asked for, left to right, and the photo's size (width, height)."""

    faces: tuple[FaceResult, ...]
    image_size: tuple[int, int]


def encode_model(model: StaticModel) -> bytes:
    """Body of ``GET /v1/model``."""
    envelope = {
        "kind": "model",
        "protocol": PROTOCOL,
        "regions": list(model.regions),
        "parts": static_envelope(model.parts),
    }
    # Regions last: every other number then lies at a multiple of its size.
    return encode(envelope, {
        "mean": model.mean,
        "triangles": model.triangles,
        "mouth": model.mouth,
        "uv": model.uv,
        "expression_basis": model.expression_basis,
        "landmark_indices": model.landmark_indices,
        **static_arrays(model.parts),
        **{f"region/{name}": weights for name, weights in model.regions.items()},
    })  # fmt: skip


def decode_model(body: bytes) -> StaticModel:
    """Read the body of ``GET /v1/model``.

    Raises
    ------
    ContractError
        Wrong kind, protocol, array or shape.
    """
    envelope, arrays = decode(body)
    expect_kind(envelope, "model")
    n_vertices = len(finite_array(arrays, "mean", "<f4", (None, 3)))
    model = StaticModel(
        mean=arrays["mean"],
        triangles=finite_array(arrays, "triangles", "<i4", (None, 3)),
        mouth=finite_array(arrays, "mouth", "<i4", (None, 3)),
        uv=finite_array(arrays, "uv", "<f4", (n_vertices, 2)),
        expression_basis=finite_array(
            arrays, "expression_basis", "<f4", (N_EXPRESSIONS, n_vertices, 3)
        ),
        landmark_indices=finite_array(arrays, "landmark_indices", "<i4", (N_LANDMARKS,)),
        regions={
            str(name): finite_array(arrays, f"region/{name}", "|u1", (n_vertices,))
            for name in entries(envelope, "regions")
        },
        parts=_static_parts(envelope, arrays),
    )
    for what, indices in (
        ("triangle", model.triangles),
        ("triangle of the mouth", model.mouth),
        ("landmark", model.landmark_indices),
    ):
        if indices.size and not 0 <= indices.min() <= indices.max() < n_vertices:
            raise ContractError(f"A {what} names a vertex that does not exist.")
    return model


def _static_parts(envelope: dict[str, Any], arrays: dict[str, Any]) -> dict[str, StaticPart]:
    with reading_envelope():
        return read_static(entries(envelope, "parts"), arrays)


_FACE_ARRAYS: dict[str, tuple[str, Shape]] = {
    "neutral": ("<f4", (None, 3)),
    "expression": ("<f4", (N_EXPRESSIONS,)),
    "parameters": ("<f4", (N_PARAMETERS,)),
    "landmarks": ("<f4", (N_LANDMARKS, 3)),
    "landmarks_coarse": ("<f4", (N_LANDMARKS, 3)),
    "texture_png": ("|u1", (None,)),
}


def encode_faces(result: FacesResult) -> bytes:
    """Body of a finished faces job's result."""
    envelope = {
        "kind": "faces",
        "protocol": PROTOCOL,
        "image_size": list(result.image_size),
        "faces": [
            {
                "roi_box": list(face.roi_box),
                "pose": asdict(face.pose),
                "whole": head_envelope(face.whole),
            }
            for face in result.faces
        ],
    }
    # PNGs last: every number of 4 bytes then lies at a multiple of its size.
    arrays: dict[str, NDArray[Any]] = {}
    for index, face in enumerate(result.faces):
        arrays |= head_arrays(f"{index}/", face.whole) | {f"{index}/amounts": face.amounts}
    arrays |= {
        f"{index}/{name}": getattr(face, name)
        for name in _FACE_ARRAYS
        for index, face in enumerate(result.faces)
    }
    for index, face in enumerate(result.faces):
        arrays |= image_arrays(f"{index}/", face.whole)
    return encode(envelope, arrays)


def decode_faces(body: bytes) -> FacesResult:
    """Read the body of a finished faces job's result.

    Raises
    ------
    ContractError
        Wrong kind, protocol, field, array or shape.
    """
    envelope, arrays = decode(body)
    expect_kind(envelope, "faces")
    with reading_envelope():
        faces = tuple(
            _face(arrays, index, entry) for index, entry in enumerate(entries(envelope, "faces"))
        )
        return FacesResult(faces, image_size(envelope))


def _face(arrays: dict[str, NDArray[Any]], index: int, entry: Any) -> FaceResult:
    own = {
        name: finite_array(arrays, f"{index}/{name}", dtype, shape)
        for name, (dtype, shape) in _FACE_ARRAYS.items()
    }
    whole = read_head(entry["whole"], arrays, f"{index}/", len(own["neutral"]))
    return FaceResult(
        **own,
        roi_box=floats(entry["roi_box"], 4),
        pose=_pose(entry["pose"]),
        whole=whole,
        amounts=finite_array(arrays, f"{index}/amounts", "<f4", (count_keys(whole),)),
    )


def _pose(fields: dict[str, Any]) -> FacePose:
    yaw, pitch, roll, scale = floats([fields[k] for k in ("yaw", "pitch", "roll", "scale")], 4)
    return FacePose(
        yaw, pitch, roll, scale, floats(fields["translation"], 3), floats(fields["quaternion"], 4)
    )
