"""The head's mesh: vertices, UV map and expression keys, written in bulk."""

from __future__ import annotations

import math
from typing import Any, cast

import bpy
import numpy as np
from numpy.typing import NDArray

from ..exchange.contract import N_EXPRESSIONS, StaticModel
from ..problems import Problem
from . import identity
from .curves import show_present
from .own_keys import own_keys_kept

UV_MAP = "UVMap"
BASIS_KEY = "Basis"
# Blender's own attributes: written as blocks of memory, 50 times as fast as vertices and loops.
POSITIONS = "position"
CORNERS = ".corner_vert"
CREASES = "crease_edge"
# Three standard deviations hold almost everybody's expressions.
SLIDER_SIGMAS = 3.0
# Blender allows no shape-key slider beyond this.
HARD_LIMIT = 10.0


def expression_key_name(index: int) -> str:
    """Name of the shape key of an expression component."""
    return f"Expression_{index:02d}"


EXPRESSION_KEYS = frozenset(map(expression_key_name, range(N_EXPRESSIONS)))


def new_mesh(name: str, model: StaticModel, neutral: NDArray[np.float32]) -> bpy.types.Mesh:
    """Mesh with the model's triangles, those of its mouth after them, and UV map.

    Parameters
    ----------
    name
        Of the data-block.
    model
        Triangles (T, 3) and (M, 3), and UV coordinates (V, 2).
    neutral
        (V, 3) float32 metres.

    Raises
    ------
    Problem
        Blender finds the mesh invalid.
    """
    mesh = bpy.data.meshes.new(name)
    try:
        _fill(mesh, model, neutral)
    except Exception:
        bpy.data.meshes.remove(mesh)
        raise
    return mesh


def has_topology(mesh: bpy.types.Mesh, model: StaticModel) -> bool:
    """Whether the mesh still has the model's vertices and triangles, in the model's order."""
    wanted = _corners(model)
    if len(mesh.vertices) != len(model.mean) or len(mesh.loops) != wanted.size:
        return False
    corners = np.empty(len(mesh.loops), np.int32)
    _attribute(mesh, CORNERS).foreach_get("value", corners)
    return np.array_equal(corners, wanted)


def reshape(
    head: bpy.types.Object,
    model: StaticModel,
    neutral: NDArray[np.float32],
    expression: NDArray[np.float32],
) -> None:
    """Give an existing head another shape and expression, in the same data-block.

    Parameters
    ----------
    head, model, neutral, expression
        As in `set_expression`.

    Notes
    -----
    Vertex groups, attributes, materials and the user's own shape keys stay, unless the user
    changed the topology: then the mesh is built anew, and the former one is kept in the file.
    """
    with own_keys_kept(head, EXPRESSION_KEYS):
        _update_mesh(head, model, neutral)
        set_expression(head, model, neutral, expression)


def set_expression(
    head: bpy.types.Object,
    model: StaticModel,
    neutral: NDArray[np.float32],
    expression: NDArray[np.float32],
) -> None:
    """Make or refresh the shape keys, and set the sliders to an expression.

    Parameters
    ----------
    head
        Mesh object.
    model
        Its ``expression_basis`` (10, V, 3): metres per standard deviation.
    neutral
        (V, 3) float32 metres.
    expression
        (10,) standard deviations.

    Notes
    -----
    A slider counts standard deviations; `make_room` says what becomes of large ones.
    """
    mesh = _mesh_of(head)
    # The basis is the first one, whatever the user calls it.
    basis = mesh.shape_keys.reference_key if mesh.shape_keys else None
    _set_key(head, basis.name if basis else BASIS_KEY, neutral)
    for index, (offsets, unit) in enumerate(
        zip(model.expression_basis, key_units(head), strict=True)
    ):
        _set_key(head, expression_key_name(index), neutral + offsets * np.float32(unit))
    units = make_room(head, np.abs(expression))
    for index, value in enumerate(expression / units):
        expression_key(head, index).value = value
    mesh.update()
    # Where there are keys, they have the say, and not only from the next frame on.
    show_present(mesh.shape_keys)


def expression_key(head: bpy.types.Object, index: int) -> bpy.types.ShapeKey:
    """Shape key of an expression component.

    Raises
    ------
    Problem
        The head has lost it.
    """
    keys = _mesh_of(head).shape_keys
    key = keys.key_blocks.get(expression_key_name(index)) if keys else None
    if key is None:
        raise Problem(
            f"The head {head.name!r} has lost the shape key {expression_key_name(index)!r}.",
            "Undo that, or choose another head.",
        )
    return key


def key_units(head: bpy.types.Object) -> NDArray[np.float64]:
    """(10,) standard deviations per unit of the sliders: 1, but where one needed more room."""
    return np.array(head.get(identity.KEY_UNITS, np.ones(N_EXPRESSIONS)), np.float64)


def make_room(head: bpy.types.Object, sigmas: NDArray[np.floating]) -> NDArray[np.float64]:
    """Let the sliders reach (10,) standard deviations to both sides, and never less than before.

    Returns
    -------
    (10,) standard deviations that one unit of each slider stands for from now on.

    Notes
    -----
    A slider reaches at least three. Beyond Blender's limit of ten the excess moves into the key:
    it then holds more than one standard deviation per unit.
    """
    before = key_units(head)
    units = np.maximum(before, sigmas / HARD_LIMIT)
    with own_keys_kept(head, EXPRESSION_KEYS):
        for index in np.flatnonzero(units > before).tolist():
            _stretch(expression_key(head, index), units[index] / before[index])
    for index, value in enumerate(sigmas / units):
        key = expression_key(head, index)
        reach = max(SLIDER_SIGMAS, key.slider_max, -key.slider_min, float(math.ceil(value)))
        key.slider_min, key.slider_max = -reach, reach
    head[identity.KEY_UNITS] = units.tolist()
    return units


def _stretch(key: bpy.types.ShapeKey, factor: float) -> None:
    """Multiply what a key adds to the shape that it is relative to."""
    neutral, coordinates = (np.empty(3 * len(key.points), np.float32) for _ in range(2))
    key.relative_key.points.foreach_get("co", neutral)
    key.points.foreach_get("co", coordinates)
    key.points.foreach_set("co", neutral + np.float32(factor) * (coordinates - neutral))


def _update_mesh(head: bpy.types.Object, model: StaticModel, neutral: NDArray[np.float32]) -> None:
    mesh = _mesh_of(head)
    if has_topology(mesh, model):
        _attribute(mesh, POSITIONS).foreach_set("vector", _flat(neutral))
        mesh.update()
        return
    if mesh.vertices:
        former: Any = mesh.copy()
        former.name, former.use_fake_user = f"{mesh.name} before update", True
    head.shape_key_clear()
    mesh.clear_geometry()
    _fill(mesh, model, neutral)


def _fill(mesh: bpy.types.Mesh, model: StaticModel, neutral: NDArray[np.float32]) -> None:
    corners = _corners(model)
    mesh.vertices.add(len(neutral))
    _attribute(mesh, POSITIONS).foreach_set("vector", _flat(neutral))
    mesh.loops.add(corners.size)
    _attribute(mesh, CORNERS).foreach_set("value", corners)
    mesh.polygons.add(corners.size // 3)
    mesh.polygons.foreach_set("loop_start", np.arange(0, corners.size, 3, dtype=np.int32))
    layer: Any = mesh.uv_layers.new(name=UV_MAP, do_init=False)
    layer.uv.foreach_set("vector", _flat(model.uv[corners]))
    mesh.shade_smooth()
    mesh.update(calc_edges=True)
    _crease_lips(mesh, model)
    # validate() silently drops what it does not like; a head without a triangle is wrong.
    if mesh.validate():
        raise Problem(
            "Blender cannot use the head's mesh.",
            "Update the add-on and the backend to the same version.",
        )


def _corners(model: StaticModel) -> NDArray[np.int32]:
    """(3 (T + M),) vertices of the mesh's triangles, one after another."""
    return np.concatenate([model.triangles, model.mouth]).reshape(-1)


def _crease_lips(mesh: bpy.types.Mesh, model: StaticModel) -> None:
    """Let subdivision leave the inner rims of the lips as if the mouth were open between them."""
    ends = np.empty(2 * len(mesh.edges), np.int32)
    mesh.edges.foreach_get("vertices", ends)
    of_mouth = np.isin(ends, model.mouth).reshape(-1, 2).all(axis=1)
    mesh.attributes.new(CREASES, "FLOAT", "EDGE")
    _attribute(mesh, CREASES).foreach_set("value", of_mouth.astype(np.float32))


def _set_key(
    head: bpy.types.Object, name: str, coordinates: NDArray[np.float32]
) -> bpy.types.ShapeKey:
    keys = _mesh_of(head).shape_keys
    key = keys.key_blocks.get(name) if keys else None
    if key is None:
        key = head.shape_key_add(name=name, from_mix=False)
    key.points.foreach_set("co", _flat(coordinates))
    return key


def _mesh_of(head: bpy.types.Object) -> bpy.types.Mesh:
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    return mesh


def _attribute(mesh: bpy.types.Mesh, name: str) -> Any:
    return cast(Any, mesh.attributes[name]).data


def _flat(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Contiguous view that ``foreach_set`` copies without converting."""
    return np.ascontiguousarray(array, np.float32).reshape(-1)
