"""The wire contract: what goes in comes out, and nothing else is accepted."""

from __future__ import annotations

import json
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.exchange import contract
from backend.exchange.contract import ContractError, container
from tests.backend.whole_heads import a_part, a_whole_head, assert_same

ROOT = Path(contract.__file__).parents[2]
RNG = np.random.default_rng(1)


def a_face(n_vertices: int = 5, png: bytes = b"\x89PNG\r\n\x1a\n") -> contract.FaceResult:
    def floats(*shape: int) -> Any:
        return RNG.standard_normal(shape).astype(np.float32)

    return contract.FaceResult(
        neutral=floats(n_vertices, 3),
        expression=floats(10),
        parameters=floats(62),
        landmarks=floats(68, 3),
        landmarks_coarse=floats(68, 3),
        texture_png=np.frombuffer(png, np.uint8),
        roi_box=(1.5, -2.0, 101.5, 98.0),
        pose=contract.FacePose(10.0, -5.0, 2.0, 1.25, (50.0, 60.5, -1.0), (0.5, 0.5, -0.5, 0.5)),
    )


def a_whole_face() -> contract.FaceResult:
    amounts = np.array([0.0, 0.5, 1.0], np.float32)
    return replace(a_face(), whole=a_whole_head(), amounts=amounts)


def a_model() -> contract.StaticModel:
    return contract.StaticModel(
        mean=RNG.standard_normal((4, 3)).astype(np.float32),
        triangles=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        mouth=np.array([[0, 1, 3]], np.int32),
        uv=RNG.random((4, 2)).astype(np.float32),
        expression_basis=RNG.standard_normal((10, 4, 3)).astype(np.float32),
        landmark_indices=(np.arange(68) % 4).astype(np.int32),
        regions={"face": np.full(4, 255, np.uint8), "neck": np.arange(4, dtype=np.uint8)},
        parts={"eye_left": a_part(), "skull": a_part("skin")},
    )


def body_of(header: Any, payload: bytes = b"", length: int | None = None) -> bytes:
    """A body made by hand, without the module's own encoder."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<4sI", b"SFC1", len(text) if length is None else length) + text + payload


def arrays_of(*entries: Any) -> dict[str, Any]:
    return {"envelope": {}, "arrays": list(entries)}


def entry(shape: Any, dtype: Any = "|u1", name: Any = "a") -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": shape}


def test_model_round_trip() -> None:
    model = a_model()
    assert_same(model, contract.decode_model(contract.encode_model(model)))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_faces_round_trip(count: int) -> None:
    faces = tuple(a_face(png=b"x" * (7 + index)) for index in range(count))
    decoded = contract.decode_faces(contract.encode_faces(contract.FacesResult(faces, (640, 480))))
    assert decoded.image_size == (640, 480)
    assert len(decoded.faces) == count
    for before, after in zip(faces, decoded.faces, strict=True):
        assert_same(before, after)


def test_whole_heads_round_trip_beside_faces_alone() -> None:
    faces = a_whole_face(), a_face(), a_whole_face()
    decoded = contract.decode_faces(contract.encode_faces(contract.FacesResult(faces, (640, 480))))
    for before, after in zip(faces, decoded.faces, strict=True):
        assert_same(before, after)
    vertices, offsets = faces[0].whole.keys.of("tongueOut") if faces[0].whole else ((), ())
    assert len(vertices) == len(offsets) == 2


def whole_face_body(**changes: Any) -> bytes:
    """A body of a face whose keys are changed by `changes`."""
    head = a_whole_head()
    whole = replace(head, keys=replace(head.keys, **changes))
    return contract.encode_faces(
        contract.FacesResult((replace(a_whole_face(), whole=whole),), (1, 1))
    )


BAD_KEYS = {
    "vertex out of range": {"vertices": np.full(3, 5, np.int32)},
    "negative vertex": {"vertices": np.full(3, -1, np.int32)},
    "starts that fall": {"starts": np.array([0, 3, 1, 3], np.int32)},
    "starts that end early": {"starts": np.array([0, 0, 1, 2], np.int32)},
    "starts that begin late": {"starts": np.array([1, 1, 1, 3], np.int32)},
    "fewer starts": {"starts": np.array([0, 1, 3], np.int32)},
    "fewer offsets": {"offsets": np.zeros((2, 3), np.float32)},
    "offsets without end": {"offsets": np.full((3, 3), np.inf, np.float32)},
    "a name twice": {"names": ("jawOpen", "jawOpen", "tongueOut")},
    "fewer names": {"names": ("jawOpen", "tongueOut")},
}


@pytest.mark.parametrize("changes", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_bad_keys_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ContractError):
        contract.decode_faces(whole_face_body(**changes))


def test_layout_is_the_documented_one() -> None:
    """Read by hand: magic, length, header, payload."""
    body = contract.encode(
        {"kind": "x"}, {"a": np.array([1.5, -2.0], np.float32), "b": np.array([7], np.uint8)}
    )
    magic, length = struct.unpack_from("<4sI", body)
    header, payload = json.loads(body[8 : 8 + length]), body[8 + length :]
    assert magic == b"SFC1"
    assert (8 + length) % 8 == 0
    assert header["envelope"] == {"kind": "x"}
    assert header["arrays"] == [entry([2], "<f4", "a"), entry([1], "|u1", "b")]
    assert payload == struct.pack("<ff", 1.5, -2.0) + b"\x07"


def test_other_byte_order_and_memory_layout_are_written_the_same() -> None:
    plain = np.arange(6, dtype="<i4").reshape(2, 3)
    swapped = np.asfortranarray(plain.astype(">i4"))
    assert contract.encode({}, {"a": plain}) == contract.encode({}, {"a": swapped})


def test_scalar_and_empty_arrays_keep_their_shape() -> None:
    arrays = {"scalar": np.array(3, np.int32), "empty": np.zeros((0, 3), np.float32)}
    _, decoded = contract.decode(contract.encode({}, arrays))
    assert decoded["scalar"].shape == () and decoded["scalar"] == 3
    assert decoded["empty"].shape == (0, 3)


def test_decoded_arrays_are_aligned_read_only_views() -> None:
    faces = (a_face(png=b"x" * 3), a_whole_face(), a_face(png=b"y" * 5))
    body = contract.encode_faces(contract.FacesResult(faces, (1, 1)))
    for face in contract.decode_faces(body).faces:
        assert face.neutral.flags.aligned and face.landmarks.flags.aligned
        assert not face.neutral.flags.writeable and not face.neutral.flags.owndata
        assert face.whole is None or face.whole.keys.offsets.flags.aligned


@pytest.mark.parametrize("dtype", [object, np.float16, np.uint64, bool, "U3"])
def test_encode_refuses_other_dtypes(dtype: Any) -> None:
    with pytest.raises(ContractError, match="dtype"):
        contract.encode({}, {"a": np.zeros(2, dtype)})


def test_encode_refuses_what_decode_would(monkeypatch: pytest.MonkeyPatch) -> None:
    most = {str(index): np.zeros(1, np.uint8) for index in range(container.MAX_ARRAYS)}
    assert len(contract.decode(contract.encode({}, most))[1]) == len(most)
    with pytest.raises(ContractError, match="arrays"):
        contract.encode({}, most | {"more": np.zeros(1, np.uint8)})
    with pytest.raises(ContractError, match="bytes"):
        contract.encode({"text": "x" * contract.MAX_HEADER_BYTES}, {})
    monkeypatch.setattr(container, "MAX_PAYLOAD_BYTES", 100)
    contract.encode({}, {"a": np.zeros(60, np.uint8), "b": np.zeros(10, np.float32)})
    with pytest.raises(ContractError, match="101 bytes in 2 arrays"):
        contract.encode({}, {"a": np.zeros(61, np.uint8), "b": np.zeros(10, np.float32)})


def test_encode_refuses_nan_in_the_envelope() -> None:
    with pytest.raises(ContractError, match="JSON"):
        contract.encode({"scale": float("nan")}, {})


BAD_BODIES = {
    "empty": b"",
    "short prefix": b"SFC1\0\0",
    "wrong magic": b"SFC2" + body_of(arrays_of())[4:],
    "pickle": b"\x80\x04\x95\x0b\0\0\0\0\0\0\0",
    "header longer than the body": body_of(arrays_of(), length=2**31),
    "header cut": body_of(arrays_of())[:-1],
    "header over the limit": body_of(b" " * (contract.MAX_HEADER_BYTES + 1)),
    "not UTF-8": body_of(b'{"envelope": {}, "arrays": [], "\xff": 1}'),
    "not JSON": body_of(b"[1,"),
    "deep JSON": body_of(b"[" * 200_000),
    "long integer": body_of(b'{"envelope": {"a": ' + b"9" * 5000 + b'}, "arrays": []}'),
    "NaN in the header": body_of(b'{"envelope": {"a": NaN}, "arrays": []}'),
    "infinity in the header": body_of(b'{"envelope": {"a": -Infinity}, "arrays": []}'),
    "header not an object": body_of([1]),
    "header lacks arrays": body_of({"envelope": {}}),
    "header has more": body_of({"envelope": {}, "arrays": [], "x": 1}),
    "envelope not an object": body_of({"envelope": [], "arrays": []}),
    "arrays not a list": body_of({"envelope": {}, "arrays": {}}),
    "too many arrays": body_of(arrays_of(*[entry([0], name=str(i)) for i in range(5000)])),
    "entry not an object": body_of(arrays_of(3)),
    "entry has more": body_of(arrays_of({**entry([1]), "offset": 0}), b"x"),
    "name not text": body_of(arrays_of(entry([1], name=3)), b"x"),
    "object dtype": body_of(arrays_of(entry([1], "|O")), b"x" * 8),
    "float16": body_of(arrays_of(entry([1], "<f2")), b"x" * 2),
    "big-endian": body_of(arrays_of(entry([1], ">f4")), b"x" * 4),
    "dtype a list": body_of(arrays_of(entry([1], [["a", "<f4"]])), b"x" * 4),
    "shape not a list": body_of(arrays_of(entry(1)), b"x"),
    "negative shape": body_of(arrays_of(entry([-1])), b"x"),
    "two negatives": body_of(arrays_of(entry([-1, -1])), b"x"),
    "bool shape": body_of(arrays_of(entry([True])), b"x"),
    "float shape": body_of(arrays_of(entry([1.0])), b"x"),
    "text shape": body_of(arrays_of(entry(["1"])), b"x"),
    "five dimensions": body_of(arrays_of(entry([1] * 5)), b"x"),
    "2**63 elements": body_of(arrays_of(entry([2**63])), b"x"),
    "2**64 elements by product": body_of(arrays_of(entry([2**16] * 4)), b"x"),
    "2**64 bytes by dtype": body_of(arrays_of(entry([2**30, 2**30, 2**2], "<f4")), b"x"),
    "empty but inexpressible": body_of(arrays_of(entry([0, 2**30, 2**30, 2**30]))),
    "longer than the body": body_of(arrays_of(entry([2])), b"x"),
    "second longer than the rest": body_of(
        arrays_of(entry([2]), entry([2], name="b")), b"xyz"
    ),
    "bytes left over": body_of(arrays_of(entry([1])), b"xy"),
    "duplicate name": body_of(arrays_of(entry([1]), entry([1])), b"xy"),
}  # fmt: skip


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_decode_refuses_without_allocating(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ContractError) as caught:
            contract.decode(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value).endswith(".")
    assert peak < 2**20 + 8 * len(body)


def test_every_truncation_is_refused() -> None:
    body = contract.encode_model(a_model())
    for length in range(len(body)):
        with pytest.raises(ContractError):
            contract.decode_model(body[:length])


def test_random_damage_never_raises_anything_else() -> None:
    body = contract.encode_faces(contract.FacesResult((a_whole_face(),), (8, 8)))
    for _ in range(2000):
        damaged = bytearray(body)
        for at in RNG.integers(0, min(len(body), 900), 3):
            damaged[at] = RNG.integers(256)
        try:
            contract.decode_faces(bytes(damaged))
        except ContractError:
            continue


def damaged_model(**changes: Any) -> bytes:
    return contract.encode_model(replace(a_model(), **changes))


BAD_MODELS = {
    "NaN": damaged_model(mean=np.full((4, 3), np.nan, np.float32)),
    "infinity": damaged_model(uv=np.full((4, 2), np.inf, np.float32)),
    "vertex out of range": damaged_model(triangles=np.array([[0, 1, 4]], np.int32)),
    "mouth out of range": damaged_model(mouth=np.array([[0, 1, 4]], np.int32)),
    "negative vertex": damaged_model(triangles=np.array([[0, 1, -1]], np.int32)),
    "float triangles": damaged_model(triangles=np.zeros((2, 3), np.float32)),
    "two columns": damaged_model(mean=np.zeros((4, 2), np.float32)),
    "fewer UVs than vertices": damaged_model(uv=np.zeros((3, 2), np.float32)),
    "landmark out of range": damaged_model(landmark_indices=np.full(68, 4, np.int32)),
    "67 landmarks": damaged_model(landmark_indices=np.zeros(67, np.int32)),
    "region of another mesh": damaged_model(regions={"face": np.zeros(5, np.uint8)}),
    "weights that are floats": damaged_model(regions={"face": np.zeros(4, np.float32)}),
    "polygons of five": damaged_model(
        parts={"a": replace(a_part(), sizes=np.array([2, 5], np.int32))}
    ),
    "polygons that end early": damaged_model(
        parts={"a": replace(a_part(), sizes=np.array([3, 3], np.int32))}
    ),
    "part's vertex out of range": damaged_model(
        parts={"a": replace(a_part(), uv=np.zeros((4, 2), np.float32))}
    ),
    "nine expressions": damaged_model(expression_basis=np.zeros((9, 4, 3), np.float32)),
    "wrong kind": contract.encode_faces(contract.FacesResult((), (1, 1))),
    "no arrays": contract.encode({"kind": "model", "protocol": contract.PROTOCOL}, {}),
    "other protocol": contract.encode({"kind": "model", "protocol": contract.PROTOCOL + 1}, {}),
}


@pytest.mark.parametrize("body", BAD_MODELS.values(), ids=BAD_MODELS.keys())
def test_bad_models_are_refused(body: bytes) -> None:
    with pytest.raises(ContractError):
        contract.decode_model(body)


def faces_body(**changes: Any) -> bytes:
    """A body of one face, whose envelope is changed by `changes`."""
    envelope, arrays = contract.decode(
        contract.encode_faces(contract.FacesResult((a_face(),), (8, 6)))
    )
    for name, value in changes.items():
        if name in envelope:
            envelope[name] = value
        else:
            face = envelope["faces"][0]
            (face if name in face else face["pose"])[name] = value
    return contract.encode(envelope, arrays)


BAD_ENVELOPES: list[dict[str, Any]] = [
    {"image_size": [8]},
    {"image_size": [8, 0]},
    {"image_size": [8, True]},
    {"image_size": ["8", "6"]},
    {"image_size": [8.5, 6]},
    {"image_size": 8},
    {"faces": {}},
    {"faces": [3]},
    {"faces": [{}, {}]},
    {"faces": [{"roi_box": [0, 0, 1, 1]}]},
    {"roi_box": [0, 0, 1]},
    {"roi_box": "1234"},
    {"roi_box": [0, 0, 1, None]},
    {"roi_box": [0, 0, 1, True]},
    {"roi_box": [0, 0, 1, 10**400]},
    {"yaw": None},
    {"yaw": "1"},
    {"yaw": [1]},
    {"quaternion": [1, 0, 0]},
    {"translation": 3},
    {"kind": "model"},
    {"protocol": 0},
]


@pytest.mark.parametrize("changes", BAD_ENVELOPES, ids=str)
def test_bad_envelopes_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ContractError):
        contract.decode_faces(faces_body(**changes))


def test_the_helper_of_bad_envelopes_makes_good_ones_too() -> None:
    assert contract.decode_faces(faces_body(yaw=3, image_size=[9, 7])).image_size == (9, 7)
