"""The face's mesh: vertices, UV map and expression keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray

from ..exchange.contract import StaticModel
from ..motion.amounts import in_order
from . import mesh_data
from .appearance import Appearance, has_cavity
from .curves import show_present
from .key_sets import NAMED, key_set, key_units, set_values
from .mesh_data import mesh_of
from .own_keys import own_keys_kept

CREASES = "crease_edge"


def new_mesh(
    name: str, model: StaticModel, neutral: NDArray[np.float32], *, open_mouth: bool = False
) -> bpy.types.Mesh:
    """Mesh with the model's triangles, those of its mouth after them, and UV map.

    Parameters
    ----------
    name
        Of the data-block.
    model
        Triangles (T, 3) and (M, 3), and UV coordinates (V, 2).
    neutral
        (V, 3) float32 metres.
    open_mouth
        Leave the triangles of the mouth out.

    Raises
    ------
    Problem
        Blender finds the mesh invalid.
    """
    mesh = bpy.data.meshes.new(name)
    try:
        _fill(mesh, model, neutral, open_mouth)
    except Exception:
        bpy.data.meshes.remove(mesh)
        raise
    return mesh


def has_topology(mesh: bpy.types.Mesh, model: StaticModel) -> bool:
    """Whether the mesh still has the model's vertices and triangles, in the model's order.

    Those of its mouth may be left out.
    """
    if len(mesh.vertices) != len(model.mean):
        return False
    corners = mesh_data.corners_of(mesh)
    return any(
        corners.size == wanted.size and np.array_equal(corners, wanted)
        for wanted in (_corners(model, open_mouth) for open_mouth in (False, True))
    )


def reshape(head: bpy.types.Object, model: StaticModel, face: Appearance) -> None:
    """Give an existing head another shape and expression, in the same data-block.

    Parameters
    ----------
    head, model, face
        As in `set_keys`.

    Notes
    -----
    Vertex groups, attributes, materials and the user's own shape keys stay, unless the user
    changed the topology: then the mesh is built anew, and the former one is kept in the file.
    A head with named keys of which `face` says nothing keeps what they add to its shape.
    """
    known = key_set(head) != NAMED or face.whole is not None
    with own_keys_kept(head, frozenset(key_set(head).names) if known else frozenset()):
        _update_mesh(head, model, face)
        set_keys(head, model, face)


def set_keys(head: bpy.types.Object, model: StaticModel, face: Appearance) -> None:
    """Make or refresh the expression keys, and set the sliders to the face's expression.

    Parameters
    ----------
    head
        Mesh object.
    model
        Its ``expression_basis`` (10, V, 3) is for heads with the model's own keys.
    face
        Shape, keys and expression. If it has no named keys, those of a head that has some stay.
    """
    mesh_data.set_basis(head, face.neutral)
    for name, vertices in _keys(head, model, face):
        mesh_data.set_key(head, name, vertices)
    if key_set(head) != NAMED:
        set_values(head, face.expression)
    elif face.whole is not None:
        set_values(head, in_order(face.whole.keys.names, face.amounts))
    mesh = mesh_of(head)
    mesh.update()
    # Where there are keys, they have the say, and not only from the next frame on.
    show_present(mesh.shape_keys)


def _keys(
    head: bpy.types.Object, model: StaticModel, face: Appearance
) -> Iterator[tuple[str, NDArray[np.float32] | None]]:
    """Names of the keys, and (V, 3) vertices of each; None where they are as they should be."""
    wanted, units = key_set(head), key_units(head).astype(np.float32)
    if wanted != NAMED:
        for name, offsets, unit in zip(wanted.names, model.expression_basis, units, strict=True):
            yield name, face.neutral + offsets * unit
        return
    keys = mesh_of(head).shape_keys
    there = frozenset(keys.key_blocks.keys()) if keys else frozenset()
    for name, unit in zip(wanted.names, units, strict=True):
        if face.whole is None or (name not in face.whole.keys.names and name not in there):
            yield name, None
            continue
        vertices = face.neutral.copy()
        if name in face.whole.keys.names:
            moved, offsets = face.whole.keys.of(name)
            vertices[moved] += offsets * unit
        yield name, vertices


def _update_mesh(head: bpy.types.Object, model: StaticModel, face: Appearance) -> None:
    mesh, open_mouth = mesh_of(head), key_set(head) == NAMED and has_cavity(face)
    if not has_topology(mesh, model):
        mesh_data.empty(head)
        _fill(mesh, model, face.neutral, open_mouth)
        return
    if open_mouth and len(mesh.polygons) > len(model.triangles):
        _open_mouth(mesh, model)
    mesh_data.move(mesh, face.neutral)
    mesh.update()


def _fill(
    mesh: bpy.types.Mesh, model: StaticModel, neutral: NDArray[np.float32], open_mouth: bool
) -> None:
    corners = _corners(model, open_mouth)
    mesh_data.fill(mesh, neutral, corners, np.full(corners.size // 3, 3, np.int32), model.uv)
    if not open_mouth:
        _crease_lips(mesh, model)


def _corners(model: StaticModel, open_mouth: bool) -> NDArray[np.int32]:
    """(3 (T + M),) vertices of the mesh's triangles, one after another; (3 T,) without a mouth."""
    mouth = model.mouth[:0] if open_mouth else model.mouth
    return np.concatenate([model.triangles, mouth]).reshape(-1)


def _crease_lips(mesh: bpy.types.Mesh, model: StaticModel) -> None:
    """Let subdivision leave the inner rims of the lips as if the mouth were open between them."""
    ends = np.empty(2 * len(mesh.edges), np.int32)
    mesh.edges.foreach_get("vertices", ends)
    of_mouth = np.isin(ends, model.mouth).reshape(-1, 2).all(axis=1)
    mesh.attributes.new(CREASES, "FLOAT", "EDGE")
    mesh_data.attribute(mesh, CREASES).foreach_set("value", of_mouth.astype(np.float32))


def _open_mouth(mesh: bpy.types.Mesh, model: StaticModel) -> None:
    """Take the triangles of the mouth away; whatever else the mesh has stays."""
    edited = bmesh.new()
    try:
        edited.from_mesh(mesh)
        edited.faces.ensure_lookup_table()
        mouth: Any = list(edited.faces)[len(model.triangles) :]
        bmesh.ops.delete(edited, geom=mouth, context="FACES_ONLY")
        edited.to_mesh(mesh)
    finally:
        edited.free()
