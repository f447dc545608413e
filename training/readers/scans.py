"""Scanned heads, as the Florence set has them: a folder of coloured meshes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError

Array = NDArray[np.floating]

SUFFIXES = (".obj", ".ply", ".stl", ".glb", ".off")


@dataclass(frozen=True)
class Scan:
    """A scanned head.

    Attributes
    ----------
    name
        Of its file.
    vertices
        (V, 3) millimetres, y up, the face along +z.
    triangles
        (T, 3), anticlockwise seen from outside.
    colors
        (V, 3) RGB in [0, 1].
    nose_tip
        (3,) millimetres.
    """

    name: str
    vertices: Array
    triangles: NDArray[np.int32]
    colors: Array
    nose_tip: Array


def read_scans(folder: Path, unit_mm: float = 1.0) -> list[Scan]:
    """Read all meshes of a folder; the nose tip is the vertex furthest along +z.

    Parameters
    ----------
    unit_mm
        Millimetres in one unit of the files.

    Raises
    ------
    BadInputError
        There is none, or one cannot be read.
    """
    paths = (
        sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
        if folder.is_dir()
        else []
    )
    if not paths:
        raise BadInputError(f"There are no scans in {folder}.", f"Give {', '.join(SUFFIXES)}.")
    return [_read_scan(path, unit_mm) for path in paths]


def read_mesh(path: Path) -> Any:
    """Return a mesh file as a `trimesh.Trimesh` with its vertices as they are.

    Raises
    ------
    BadInputError
        It cannot be read.
    """
    import trimesh

    try:
        mesh = trimesh.load_mesh(path, process=False)
    except Exception as error:
        # Each of trimesh's readers raises what it likes.
        raise BadInputError(f"Cannot read the mesh {path}: {error}.") from error
    if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.vertices):
        raise BadInputError(f"{path} holds no triangle mesh.")
    return mesh


def _read_scan(path: Path, unit_mm: float) -> Scan:
    mesh = read_mesh(path)
    vertices = np.asarray(mesh.vertices, np.float64) * unit_mm
    if mesh.visual.kind is None:
        raise BadInputError(f"{path} has no colours.", "The network needs to see a face.")
    visual = mesh.visual.to_color() if mesh.visual.kind == "texture" else mesh.visual
    colors = np.asarray(visual.vertex_colors, np.float64)[:, :3] / 255
    tip = vertices[vertices[:, 2].argmax()]
    return Scan(path.stem, vertices, np.asarray(mesh.faces, np.int32), colors, tip)
