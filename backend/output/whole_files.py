"""Files of a whole head: GLB with named keys, OBJ with several materials.

The first mesh is the face, with the model's vertices in their order; the parts follow. The frame is
that of `backend.output.mesh_files`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from backend.geometry.normals import vertex_normals
from backend.head.dressed import DressedHead
from backend.head.parts import Deltas
from backend.head.whole import shaded_together
from backend.morphable_model.model import MorphableModel
from backend.output.glb import GlbFile

Float = NDArray[np.floating]
Int = NDArray[np.integer]

METRES = 0.001
# Millimetres. Less than this is not stored of a key.
STILL = 0.02
# Eyes and teeth are wet.
ROUGHNESS = {"skin": 0.6, "scalp": 0.65, "mouth": 0.3, "eye": 0.08}
FACE = "head"
# Names of the textures' files beside an OBJ.
TEXTURE_FILES = {"skin": "texture.png"}


def whole_glb(head: DressedHead, model: MorphableModel) -> bytes:
    """Bytes of a GLB file.

    Every mesh has the keys that move it as morph targets, by name in ``extras.targetNames``, set
    to the photo's expression.
    """
    file = GlbFile()
    materials = {
        name: file.material(name, picture, roughnessFactor=ROUGHNESS[name])
        for name, picture in head.textures.items()
    }
    normals = _normals(head, model, {})

    def add(name: str, vertices: Float, uv: Float, triangles: Int, look: str, keys: Deltas) -> int:
        at = METRES * vertices
        return file.mesh(name, at, normals[name], uv, triangles, materials[look], _targets(keys))

    meshes = [add(FACE, head.neutral, model.uv, _face_triangles(head, model), "skin", head.deltas)]
    meshes += [
        add(part.name, part.vertices, part.uv, part.triangles, part.material, part.deltas)
        for part in head.whole.parts
    ]
    for mesh in meshes:
        entry = file.tree["meshes"][mesh]
        if "weights" in entry:
            names = entry["extras"]["targetNames"]
            entry["weights"] = [float(head.amounts.get(name, 0.0)) for name in names]
        file.show([file.node(name=entry["name"], mesh=mesh)])
    return file.encoded()


def whole_obj(head: DressedHead, model: MorphableModel) -> dict[str, bytes]:
    """Files of an OBJ in the photo's expression, by name: itself, materials, textures."""
    from PIL import Image

    normals = _normals(head, model, head.amounts)
    face = head.face_at(head.amounts)
    shown = np.flatnonzero(~head.whole.hidden)
    lines, first = ["# SynergyFace", "mtllib head.mtl"], 1
    lines += _obj_object(FACE, face, normals[FACE], model.uv, model.triangles[shown], "skin", first)
    first += len(face)
    for part in head.whole.parts:
        vertices = part.at(head.amounts)
        lines += _obj_object(
            part.name, vertices, normals[part.name], part.uv, part.faces, part.material, first
        )
        first += len(vertices)
    files = {"head.obj": ("\n".join(lines) + "\n").encode(), "head.mtl": _materials(head).encode()}
    for name, picture in head.textures.items():
        data = io.BytesIO()
        Image.fromarray(picture).save(data, "PNG")
        files[_texture_file(name)] = data.getvalue()
    return files


def _normals(
    head: DressedHead, model: MorphableModel, amounts: Mapping[str, float]
) -> dict[str, Float]:
    """By the meshes' names."""
    vertices = {part.name: part.at(amounts) for part in head.whole.parts}
    normals: dict[str, Float] = {
        part.name: vertex_normals(vertices[part.name], part.triangles) for part in head.whole.parts
    }
    face, skull = shaded_together(model, head.shape, head.face_at(amounts), vertices["skull"])
    normals["skull"] = np.concatenate([skull, normals["skull"][len(skull) :]])
    return normals | {FACE: face}


def _face_triangles(head: DressedHead, model: MorphableModel) -> NDArray[np.int32]:
    """Triangles that are drawn, and one of no area for each vertex that no other has.

    Readers drop vertices that no triangle has, and the face's must keep their numbers.
    """
    shown = model.triangles[~head.whole.hidden]
    alone = np.setdiff1d(np.arange(len(head.neutral)), shown)
    return np.concatenate([shown, np.repeat(alone[:, None], 3, axis=1).astype(np.int32)])


def _targets(deltas: Deltas) -> dict[str, Float]:
    """Metres; what moves less than can be seen stays."""
    targets = {}
    for name, moves in deltas.items():
        x, y, z = (np.abs(moves) > STILL).T
        target = np.zeros(moves.shape, np.float32)
        moving = np.flatnonzero(x | y | z)
        target[moving] = METRES * moves[moving]
        targets[name] = target
    return targets


def _obj_object(
    name: str,
    vertices: Float,
    normals: Float,
    uv: Float,
    faces: NDArray[np.integer],
    material: str,
    first: int,
) -> list[str]:
    lines = [f"o {name}", f"usemtl {material}"]
    lines += [f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in (METRES * vertices).tolist()]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in uv.tolist()]
    lines += [f"vn {x:.4f} {y:.4f} {z:.4f}" for x, y, z in normals.tolist()]
    for face in (faces + first).tolist():
        corners = face[:3] if face[-1] == face[-2] else face
        lines.append("f " + " ".join(f"{i}/{i}/{i}" for i in corners))
    return lines


def _materials(head: DressedHead) -> str:
    return "\n".join(
        f"newmtl {name}\nKa 1.0 1.0 1.0\nKd 1.0 1.0 1.0\nKs 0.0 0.0 0.0\nillum 1\n"
        f"map_Kd {_texture_file(name)}\n"
        for name in head.textures
    )


def _texture_file(material: str) -> str:
    return TEXTURE_FILES.get(material, f"{material}.png")
