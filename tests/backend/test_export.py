"""Exported files, read by readers of our own and by Blender's conventions."""

from __future__ import annotations

import errno
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadInputError
from backend.morphable_model.model import N_TRIANGLES, N_VERTICES, MorphableModel
from backend.output.mesh_files import export_head

PLY_TYPES = {"float": "<f4", "uchar": "u1", "int": "<i4"}


@pytest.fixture(scope="module")
def texture() -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(
    model: MorphableModel, texture: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    directory = tmp_path_factory.mktemp("export") / "made"
    paths = export_head(directory, model.mean, model, texture)
    assert {path.name for path in paths} == set(names_in(directory))
    return directory


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def check_outward(vertices: np.ndarray, triangles: np.ndarray, normals: np.ndarray) -> None:
    a, b, c = (vertices[triangles[:, k]].astype(float) for k in range(3))
    faces = np.cross(b - a, c - a)
    assert (np.einsum("ij,ij->i", faces, normals[triangles[:, 0]]) > 0).mean() > 0.99
    away = vertices - [0, -0.02, 0.03]
    assert (np.einsum("ij,ij->i", away, normals) > 0).mean() > 0.95
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)


def test_writes_the_files_and_nothing_else(folder: Path) -> None:
    assert names_in(folder) == ["head.glb", "head.mtl", "head.obj", "head.ply", "texture.png"]


def read_glb(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    tree = json.loads(data[20 : 20 + size])
    return tree, data[20 + size + 8 :]


def test_glb_holds_the_model_whole(
    folder: Path, model: MorphableModel, texture: np.ndarray
) -> None:
    tree, binary = read_glb(folder / "head.glb")

    def view(index: int) -> bytes:
        entry = tree["bufferViews"][index]
        start = entry.get("byteOffset", 0)
        return binary[start : start + entry["byteLength"]]

    def accessor(index: int, dtype: str, width: int) -> np.ndarray:
        entry = tree["accessors"][index]
        found = np.frombuffer(view(entry["bufferView"]), dtype, entry["count"] * width)
        return found.reshape(-1, width)

    primitive, mouth = tree["meshes"][0]["primitives"]
    names = primitive["attributes"]
    vertices = accessor(names["POSITION"], "<f4", 3)
    np.testing.assert_allclose(vertices, model.mean / 1000, atol=1e-6)
    uv = accessor(names["TEXCOORD_0"], "<f4", 2)
    np.testing.assert_allclose(uv, np.stack([model.uv[:, 0], 1 - model.uv[:, 1]], 1), atol=1e-6)
    triangles = accessor(primitive["indices"], "<u4", 1).reshape(-1, 3)
    np.testing.assert_array_equal(triangles, model.triangles)
    check_outward(vertices, triangles, accessor(names["NORMAL"], "<f4", 3))

    assert mouth["attributes"] == names
    lips = accessor(mouth["indices"], "<u4", 1).reshape(-1, 3)
    np.testing.assert_array_equal(lips, model.mouth)
    dark = tree["materials"][mouth["material"]]["pbrMetallicRoughness"]
    assert max(dark["baseColorFactor"][:3]) < 0.05 and dark["baseColorFactor"][3] == 1

    material = tree["materials"][primitive["material"]]["pbrMetallicRoughness"]
    assert material["metallicFactor"] == 0
    assert material["roughnessFactor"] == pytest.approx(0.6)
    image = tree["images"][tree["textures"][material["baseColorTexture"]["index"]]["source"]]
    assert image["mimeType"] == "image/png"
    embedded = Image.open(io.BytesIO(view(image["bufferView"])))
    np.testing.assert_array_equal(np.asarray(embedded), texture)


def test_glb_stands_upright_and_looks_along_z(folder: Path, model: MorphableModel) -> None:
    tree, binary = read_glb(folder / "head.glb")
    for node in tree["nodes"]:
        assert node.get("matrix", np.eye(4).T.ravel().tolist()) == np.eye(4).ravel().tolist()
        assert not {"rotation", "scale", "translation"} & set(node)
    entry = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    start = tree["bufferViews"][entry["bufferView"]].get("byteOffset", 0)
    vertices = np.frombuffer(binary, "<f4", N_VERTICES * 3, start).reshape(-1, 3)
    nose, chin, right_eye, left_eye = vertices[model.landmark_indices[[30, 8, 36, 45]]]
    assert nose[2] == pytest.approx(0.132, abs=0.003)
    assert nose[1] > chin[1] + 0.05
    # The subject's right is on -x, as seen by whom they face.
    assert right_eye[0] < -0.03 < 0.03 < left_eye[0]


def test_obj_keeps_the_order_of_the_model(
    folder: Path, model: MorphableModel, texture: np.ndarray
) -> None:
    rows: dict[str, list[list[str]]] = {}
    for line in (folder / "head.obj").read_text().splitlines():
        word, *rest = line.split() or [""]
        rows.setdefault(word, []).append(rest)
    vertices = np.array(rows["v"], float)
    np.testing.assert_allclose(vertices, model.mean / 1000, atol=1e-6)
    np.testing.assert_allclose(np.array(rows["vt"], float), model.uv, atol=1e-6)
    corners = np.array([[corner.split("/") for corner in face] for face in rows["f"]], int) - 1
    assert corners.shape == (N_TRIANGLES, 3, 3)
    np.testing.assert_array_equal(corners, np.repeat(model.triangles[..., None], 3, axis=2))
    check_outward(vertices, model.triangles, np.array(rows["vn"], float))

    assert rows["mtllib"] == [["head.mtl"]]
    material = dict(
        line.split(maxsplit=1) for line in (folder / "head.mtl").read_text().splitlines()
    )
    assert rows["usemtl"] == [[material["newmtl"]]]
    np.testing.assert_array_equal(np.asarray(Image.open(folder / material["map_Kd"])), texture)


def test_ply_carries_coordinates_and_colors(
    folder: Path, model: MorphableModel, texture: np.ndarray
) -> None:
    header, body = (folder / "head.ply").read_bytes().split(b"end_header\n", 1)
    lines = header.decode().splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert f"element vertex {N_VERTICES}" in lines
    properties = [line.split() for line in lines if line.startswith("property")]
    dtype = np.dtype([(name, PLY_TYPES[kind]) for _, kind, name in properties[:-1]])
    found = np.frombuffer(body, dtype, N_VERTICES)
    vertices = np.stack([found[name] for name in "xyz"], 1)
    np.testing.assert_allclose(vertices, model.mean / 1000, atol=1e-6)
    np.testing.assert_allclose(np.stack([found["s"], found["t"]], 1), model.uv, atol=1e-6)
    nose = model.landmark_indices[30]
    u, v = model.uv[nose]
    color = [found[name][nose] for name in ("red", "green", "blue")]
    assert color == texture[int((1 - v) * 64), int(u * 64)].tolist()
    faces = np.frombuffer(
        body, np.dtype([("n", "u1"), ("index", "<i4", 3)]), N_TRIANGLES, found.nbytes
    )
    np.testing.assert_array_equal(faces["index"], model.triangles)


def test_refuses_an_unknown_format(
    model: MorphableModel, texture: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=r"stl.*glb, obj, ply"):
        export_head(tmp_path / "new", model.mean, model, texture, ["glb", "stl"])
    assert names_in(tmp_path) == []


def test_says_that_a_folder_cannot_be_written(
    model: MorphableModel, texture: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInputError, match="Cannot write") as caught:
        export_head(tmp_path / "file" / "out", model.mean, model, texture, ["ply"])
    assert caught.value.code == "unwritable"
    assert (tmp_path / "file").read_text() == "mine"
    assert names_in(tmp_path) == ["file"]


def test_a_full_disk_leaves_the_old_files_and_no_others(
    model: MorphableModel, texture: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"head.obj": b"old obj", "texture.png": b"old texture"}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    write = Path.write_bytes

    def fill_disk(path: Path, data: bytes) -> int:
        if path.suffix == ".obj":
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill_disk)
    with pytest.raises(BadInputError, match="No space left"):
        export_head(tmp_path, model.mean, model, texture, ["obj"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_a_file_that_cannot_be_replaced_keeps_its_companions_away(
    model: MorphableModel, texture: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "head.obj").mkdir()
    with pytest.raises(BadInputError, match="Cannot write"):
        export_head(tmp_path, model.mean, model, texture, ["obj"])
    assert names_in(tmp_path) == ["head.obj"]
