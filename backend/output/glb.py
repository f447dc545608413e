"""A GLB file in the making: arrays, pictures, materials and meshes, written as glTF 2.0."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
Int = NDArray[np.integer]
Tree = dict[str, Any]

# glTF's numbers.
FLOAT, UNSIGNED_SHORT, UNSIGNED_INT = 5126, 5123, 5125
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
ALIGNED = 4
STAYS = np.zeros((1, 3), np.float32)
# A picture that takes more bytes as PNG is written as JPEG of this quality.
PNG_BYTES, JPEG_QUALITY = 2_500_000, 95


class GlbFile:
    """Collects what a file holds; `encoded` gives its bytes."""

    def __init__(self) -> None:
        self.tree: Tree = {
            "asset": {"version": "2.0", "generator": "SynergyFace"},
            "scene": 0,
            "scenes": [{"nodes": []}],
            "nodes": [],
            "meshes": [],
            "materials": [],
            "textures": [],
            "images": [],
            "accessors": [],
            "bufferViews": [],
        }
        self._chunks: list[bytes] = []
        self._length = 0

    def material(self, name: str, picture: NDArray[np.uint8], **properties: Any) -> int:
        """Index of a new material with a picture of colours.

        Parameters
        ----------
        picture
            (H, W, 3) RGB, row 0 is v = 1.
        properties
            Of glTF's metallic-roughness model.
        """
        data, kind = _encoded_picture(picture)
        images, textures = self.tree["images"], self.tree["textures"]
        images.append({"name": name, "bufferView": self._view(data), "mimeType": kind})
        textures.append({"source": len(images) - 1})
        look = {"baseColorTexture": {"index": len(textures) - 1}, "metallicFactor": 0.0}
        return self._new("materials", {"name": name, "pbrMetallicRoughness": look | properties})

    def mesh(
        self,
        name: str,
        vertices: Float,
        normals: Float,
        uv: Float,
        triangles: Int,
        material: int,
        targets: Mapping[str, Float],
    ) -> int:
        """Index of a new mesh.

        Parameters
        ----------
        vertices, normals
            (N, 3), metres.
        uv
            (N, 2), v up.
        targets
            By name: (N, 3) metres that it adds at 1. Vertices that it leaves are not stored.
        """
        primitive: Tree = {
            "attributes": {
                "POSITION": self._accessor(vertices, ARRAY_BUFFER, bounds=True),
                "NORMAL": self._accessor(normals, ARRAY_BUFFER),
                "TEXCOORD_0": self._accessor(uv * (1, -1) + (0, 1), ARRAY_BUFFER),
            },
            "indices": self._indices(triangles, len(vertices)),
            "material": material,
        }
        entry: Tree = {"name": name, "primitives": [primitive]}
        if targets:
            primitive["targets"] = [{"POSITION": self._sparse(moves)} for moves in targets.values()]
            entry |= {"extras": {"targetNames": list(targets)}, "weights": [0.0] * len(targets)}
        return self._new("meshes", entry)

    def node(self, **properties: Any) -> int:
        """Index of a new node; the caller puts it under a parent or into the scene."""
        return self._new("nodes", properties)

    def show(self, nodes: Sequence[int]) -> None:
        """Put nodes into the scene."""
        self.tree["scenes"][0]["nodes"] += nodes

    def values(self, values: Float) -> int:
        """Index of a new accessor of (N,), (N, 3) or (N, 4) values, as animations want them."""
        return self._accessor(values, None, bounds=True)

    def encoded(self) -> bytes:
        """Return the whole file."""
        binary = b"".join(self._chunks)
        tree = {key: value for key, value in self.tree.items() if value not in ([], {})}
        tree["buffers"] = [{"byteLength": len(binary)}]
        text = json.dumps(tree, separators=(",", ":")).encode()
        text += b" " * (-len(text) % ALIGNED)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

    def _new(self, kind: str, entry: Tree) -> int:
        self.tree[kind].append(entry)
        return len(self.tree[kind]) - 1

    def _view(self, data: bytes, target: int | None = None) -> int:
        entry = {"buffer": 0, "byteOffset": self._length, "byteLength": len(data)}
        padded = data + b"\0" * (-len(data) % ALIGNED)
        self._chunks.append(padded)
        self._length += len(padded)
        return self._new("bufferViews", entry if target is None else entry | {"target": target})

    def _accessor(self, values: Float, target: int | None, *, bounds: bool = False) -> int:
        values = np.ascontiguousarray(values, "<f4")
        entry: Tree = {
            "bufferView": self._view(values.tobytes(), target),
            "componentType": FLOAT,
            "type": TYPES[1 if values.ndim == 1 else values.shape[1]],
            "count": len(values),
        }
        return self._new("accessors", entry | (_bounds(values) if bounds else {}))

    def _indices(self, triangles: Int, count: int) -> int:
        small = count <= np.iinfo(np.uint16).max
        flat = triangles.astype("<u2" if small else "<u4").ravel()
        return self._new(
            "accessors",
            {
                "bufferView": self._view(flat.tobytes(), ELEMENT_ARRAY_BUFFER),
                "componentType": UNSIGNED_SHORT if small else UNSIGNED_INT,
                "type": "SCALAR",
                "count": len(flat),
            },
        )

    def _sparse(self, moves: Float) -> int:
        """Accessor of (N, 3) that stores the rows that are not zero."""
        moves = np.ascontiguousarray(moves, "<f4")
        x, y, z = (moves != 0).T  # far quicker than any() along the short axis
        rows = np.flatnonzero(x | y | z)
        entry: Tree = {"componentType": FLOAT, "type": "VEC3", "count": len(moves)}
        # Vertices that stay are at 0, if there are any.
        entry |= _bounds(
            moves[rows] if len(rows) == len(moves) else np.vstack([moves[rows], STAYS])
        )
        if len(rows):
            small = len(moves) <= np.iinfo(np.uint16).max
            entry["sparse"] = {
                "count": len(rows),
                "indices": {
                    "bufferView": self._view(rows.astype("<u2" if small else "<u4").tobytes()),
                    "componentType": UNSIGNED_SHORT if small else UNSIGNED_INT,
                },
                "values": {"bufferView": self._view(moves[rows].tobytes())},
            }
        return self._new("accessors", entry)


def _bounds(values: Float) -> Tree:
    low, high = values.min(axis=0), values.max(axis=0)
    return {"min": np.atleast_1d(low).tolist(), "max": np.atleast_1d(high).tolist()}


def _encoded_picture(picture: NDArray[np.uint8]) -> tuple[bytes, str]:
    from PIL import Image

    image, data = Image.fromarray(picture), io.BytesIO()
    image.save(data, "PNG")
    if data.tell() <= PNG_BYTES:
        return data.getvalue(), "image/png"
    data = io.BytesIO()
    image.save(data, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return data.getvalue(), "image/jpeg"
