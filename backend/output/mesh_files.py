"""Files of a head for other programs: GLB, OBJ with material and texture, PLY.

Every file holds each vertex of the model once, in the model's order, in metres, +Y up and the face
along +Z. That is the frame of glTF, and what OBJ readers take for granted; Blender's importers
turn both to Z up with the face along -Y. In GLB the mouth is closed, in OBJ and PLY the mesh is the
bare model.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.errors import BadInputError
from backend.morphable_model.model import MorphableModel
from backend.output.gltf import encode_glb, head_mesh, textured_mesh

METRES_PER_MILLIMETRE = 0.001
FORMATS = ("glb", "obj", "ply")

OBJ_MATERIAL = """newmtl head
Ka 1.0 1.0 1.0
Kd 1.0 1.0 1.0
Ks 0.0 0.0 0.0
illum 1
map_Kd texture.png
"""


def export_head(
    directory: Path,
    head_mm: NDArray[np.float32],
    model: MorphableModel,
    texture: NDArray[np.uint8],
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Write a textured head.

    Parameters
    ----------
    directory
        Made if it isn't there.
    head_mm
        (V, 3) millimetres in the model frame.
    texture
        (S, S, 3) RGB, row 0 is v = 1.
    formats
        Of ``glb`` (one file, texture embedded), ``obj`` (``head.obj``, ``head.mtl``,
        ``texture.png``) and ``ply`` (texture coordinates, and the texture as vertex colours).

    Returns
    -------
    The paths of the files. They appear together, after all of them were written.

    Raises
    ------
    BadInputError
        An unknown format, or the directory cannot be written to.
    """
    encoders: dict[str, Callable[..., dict[str, bytes]]] = {"glb": _glb, "obj": _obj, "ply": _ply}
    unknown = [name for name in formats if name not in encoders]
    if unknown:
        raise BadInputError(
            f"Unknown export format {unknown[0]!r}.", f"Choose from {', '.join(FORMATS)}."
        )
    vertices = head_mm.astype(np.float64) * METRES_PER_MILLIMETRE
    files: dict[str, bytes] = {}
    for name in formats:
        files |= encoders[name](vertices, model, texture)
    return _write_together(directory, files)


def _write_together(directory: Path, files: dict[str, bytes]) -> list[Path]:
    """Write all files under temporary names first, then rename them."""
    targets = [directory / name for name in files]
    try:
        with ExitStack() as stack:
            for target, data in zip(targets, files.values(), strict=True):
                stack.enter_context(atomic_path(target)).write_bytes(data)
    except OSError as error:
        raise BadInputError(
            f"Cannot write to {directory}: {error.strerror or error}.",
            "Choose another folder, or free some space.",
            code="unwritable",
        ) from error
    return targets


def _glb(
    vertices: NDArray[np.float64], model: MorphableModel, texture: NDArray[np.uint8]
) -> dict[str, bytes]:
    mesh = textured_mesh(vertices, model, texture)
    return {"head.glb": encode_glb(mesh, lambda file: file.close_mouth(model.mouth))}


def _obj(
    vertices: NDArray[np.float64], model: MorphableModel, texture: NDArray[np.uint8]
) -> dict[str, bytes]:
    from PIL import Image
    from trimesh.exchange.obj import export_obj
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import SimpleMaterial

    visual = TextureVisuals(uv=model.uv, material=SimpleMaterial(name="head"))
    mesh = head_mesh(vertices, model, visual)
    text, _ = export_obj(
        mesh, include_normals=True, return_texture=True, mtl_name="head.mtl", header="SynergyFace"
    )
    png = io.BytesIO()
    Image.fromarray(texture).save(png, "PNG")
    return {
        "texture.png": png.getvalue(),
        "head.mtl": OBJ_MATERIAL.encode(),
        "head.obj": text.encode(),
    }


def _ply(
    vertices: NDArray[np.float64], model: MorphableModel, texture: NDArray[np.uint8]
) -> dict[str, bytes]:
    from trimesh.exchange.ply import export_ply
    from trimesh.visual import ColorVisuals

    size = len(texture)
    column, row = model.uv[:, 0] * size, (1 - model.uv[:, 1]) * size
    pixel = np.clip(np.stack([row, column]).astype(int), 0, size - 1)
    opaque = np.full((len(vertices), 1), 255, np.uint8)
    colors = np.concatenate([texture[pixel[0], pixel[1]], opaque], axis=1)
    mesh = head_mesh(vertices, model, ColorVisuals(vertex_colors=colors))
    mesh.vertex_attributes = {"s": model.uv[:, 0], "t": model.uv[:, 1]}
    return {"head.ply": export_ply(mesh, vertex_normal=True)}
